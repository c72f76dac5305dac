"""Hover texts of an editor for each key of the language."""

from typing import Final

HELP: Final[dict[str, dict[str, str]]] = {
    "Spec": {
        "modelspec": "The version of the spec language: 1.",
        "name": "The model's name. Default: the file's stem.",
        "description": "A text about the model, for people.",
        "params": (
            "Values by name, to be used as ${name} and changed with --set params.NAME=VALUE. "
            "Each may use those above it."
        ),
        "inputs": "What the model is called on, by name: {shape: [...], dtype: float32}.",
        "blocks": "Reusable pieces of graph, used by name as a layer is.",
        "models": "Trained models in files, used by name as a layer is.",
        "layers": (
            "The graph: a list of Keras layers and blocks. Each is called on the one above it, "
            "unless `from` says otherwise."
        ),
        "outputs": "What the model returns: a name, a list of names, or public_name: name.",
        "losses": (
            "What training makes small: one value for a single output, a list in the order of "
            "outputs, or output: value."
        ),
        "loss_weights": (
            "How much each loss counts: one number, a list in the order of outputs, "
            "output: number, or a strategy that sets them while training, such as auto. "
            "Default: 1.0."
        ),
        "metrics": (
            "What is watched besides the losses. With a single output a list is its metrics; "
            "otherwise a list in the order of outputs, or output: value."
        ),
        "weighted_metrics": (
            "As metrics, of which the weights of samples count: OUTPUT_weight, and class_weights."
        ),
        "optimizer": "One Keras optimizer, by name or with its arguments. Default: rmsprop.",
        "training": "How to train.",
        "data": (
            "name: array, for arrays and columns that are called otherwise than here; a list of "
            "them is stacked; {column: NAME} says how a column of a table is read."
        ),
        "weights": "What layers start from, in place of fresh weights.",
    },
    "ModelSource": {
        "path": (
            "The folder of a run or a .keras file, relative to the spec. --model NAME=PATH "
            "replaces it."
        ),
        "layer": "A model inside of that in the file, as in `outer.inner`, in place of all of it.",
        "until": "A layer of the model, by its name: what it returns becomes the result.",
    },
    "ArraySource": {
        "array": "The array's name, in the training data or in `file`.",
        "file": "An npz or npy file with the array, relative to the spec. Default: the data.",
    },
    "StartingWeights": {
        "from": (
            "A run, a .keras file or a .weights.h5 file, relative to the spec: layers of the same "
            "name start with its weights. train --weights PATH replaces it."
        ),
        "rename": "Their name: our name, where layers are called otherwise; * stands for a part.",
        "skip": "Layers that start fresh all the same; * and ? make patterns.",
        "layers": "LAYER.WEIGHT: {array: NAME}, for a single weight such as words.embeddings.",
    },
    "ColumnSource": {
        "column": "The name of the array or column.",
        "classes": (
            "Of an output, the names of the classes in the order of its units. Default: those of "
            "the training rows, sorted; none where `dtype` is a number."
        ),
        "dtype": "The type of a table's cells; a cell that does not fit is an error at its place.",
        "missing": "Texts that stand for a missing cell, as an empty cell does: [NA, '-'].",
    },
    "InputSpec": {
        "shape": "The shape of one sample, without the batch; null is an unknown length.",
        "dtype": "The type of its values. Default: float32.",
    },
    "BlockSpec": {
        "params": "The block's parameters and their defaults; null where one must be given.",
        "inputs": "What the block is called on: names that hold inside it.",
        "layers": "The block's graph; names in it are its own.",
        "outputs": "What the block returns: a name, a list of names, or public_name: name.",
    },
    "LayerItem": {
        "name": "The layer's name. Default: Keras's own style, in order: dense, dense_1, …",
        "from": (
            "What the layer is called on: a name, a list of names for layers that merge, or "
            "call argument: name. Default: the item above; for the first one, the only input."
        ),
        "as": "Names for the several results of one call: [sequence, state_h, state_c].",
        "call": "Constant call arguments: {training: true}.",
        "share": "Instead of a layer: call the named layer or block again, with the same weights.",
        "repeat": "How many times the item is chained; ${i} is 0, 1, … inside it. Default: 1.",
        "preprocess": (
            "Whether the preprocess_input of a model of keras.applications is applied first, to "
            "pixels from 0 to 255. Default: false."
        ),
        "trainable": (
            "Whether training changes its weights; on a block or a model, also a list of patterns "
            "of the layers inside that are trained. Default: true."
        ),
        "dtype": "The type, or the policy, of its computations. Default: training.precision.",
        "adapt": (
            "Whether `train` fits a layer such as Normalization or TextVectorization to the "
            "training rows, before the first epoch. Default: false."
        ),
    },
    "LastRows": {"last": "The share of samples, the last ones, to validate on."},
    "GroupedRows": {
        "fraction": "The share of samples to validate on, as near as whole groups allow.",
        "groups": "The array that tells each sample's group.",
    },
    "Training": {
        "epochs": "How often all samples are gone through. Default: 10.",
        "batch_size": "Samples a step. Default: 32.",
        "validation_split": (
            "The share of samples that is drawn to validate on; {last: SHARE} takes the last rows, "
            "{fraction: SHARE, groups: ARRAY} keeps groups whole. Default: 0."
        ),
        "shuffle": "Whether each epoch has an order of its own. Default: true.",
        "seed": "What weights, order and dropout are drawn from. Default: 0.",
        "callbacks": "A list of Keras callbacks.",
        "class_weights": "How much samples of a class count, by output: {income: {3: 5.0}}.",
        "learning_rates": (
            "Factors of the optimizer's learning rate by patterns of layers: {trunk: 0.1} lets a "
            "part learn more slowly than the rest. Default: 1 for all."
        ),
        "precision": "The type of the computations. Default: float32.",
        "precompute": (
            "Whether frozen layers at the beginning are computed once for each row, and not in "
            "every epoch. Default: auto, what pays."
        ),
        "jit": (
            "Whether XLA compiles the steps of training, or the optimizer's updates of large "
            "weights alone. Default: auto, what pays."
        ),
        "steps_per_call": "How many steps one call of the engine takes. Default: auto.",
        "devices": (
            "How many devices of this machine share each batch. Default: auto, all GPUs if there "
            "are several."
        ),
    },
}
