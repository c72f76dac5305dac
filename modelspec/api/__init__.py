"""What ``import modelspec`` offers: one file for each verb."""
