"""h5py, with HDF5's search for plugins limited to folders of the system.

A file can name a filter that HDF5 does not know. HDF5 then runs the libraries in its folders for
plugins. TensorFlow sets ``HDF5_PLUGIN_PATH`` to ``disable`` to turn plugins off, but HDF5 takes it
for a folder in the current one. So a model file could run the code in a folder beside it.
"""

import os
from typing import Any


def hdf5() -> Any:
    """Import h5py, and take relative folders out of HDF5's search for plugins."""
    import h5py
    from h5py import h5pl

    for index in reversed(range(h5pl.size())):
        if not os.path.isabs(h5pl.get(index)):  # noqa: PTH117 - bytes, which have no Path
            h5pl.remove(index)
    return h5py
