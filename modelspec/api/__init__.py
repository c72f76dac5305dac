"""The functions and classes of ``import modelspec``: one module for each verb."""
