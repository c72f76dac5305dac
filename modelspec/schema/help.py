"""Hover texts of an editor for each key of the language."""

from typing import Final

HELP: Final[dict[str, dict[str, str]]] = {
    "Spec": {
        "modelspec": "The version of the spec language: 1.",
        "name": "The name of the model. Default: the file name without its extension.",
        "description": "A text about the model. modelspec does not use it.",
        "params": (
            "Named values. ${name} uses one, and --set params.NAME=VALUE changes it. A value can "
            "use the params above it."
        ),
        "inputs": "The inputs of the model: name: {shape: [...], dtype: float32}.",
        "blocks": "Parts of a graph that can be used several times, by name, like a layer.",
        "models": "Trained models in files, used by name, like a layer.",
        "layers": (
            "The graph: a list of layers and blocks. Each item is called on the item above it, or "
            "on the inputs in `from`."
        ),
        "outputs": "The outputs of the model: a name, a list of names, or public_name: name.",
        "losses": (
            "The losses that training minimizes: one value for a single output, a list in the "
            "order of the outputs, or output: value."
        ),
        "loss_weights": (
            "The weights of the losses: one number, a list in the order of the outputs, "
            "output: number, or a strategy that sets them during training, such as auto. "
            "Default: 1.0."
        ),
        "metrics": (
            "The metrics: a list of metrics for a single output; for several outputs a list in the "
            "order of the outputs, or output: value."
        ),
        "weighted_metrics": (
            "Metrics that use the sample weights (OUTPUT_weight) and class_weights, written "
            "like metrics."
        ),
        "optimizer": "One Keras optimizer, by name or with its arguments. Default: rmsprop.",
        "training": "The settings of the training.",
        "data": (
            "name: array, for arrays and columns with other names than the inputs and outputs. A "
            "list of arrays is stacked. {column: NAME} sets how a column of a table is read."
        ),
        "weights": "The weights that layers start from. Default: new random weights.",
    },
    "ModelSource": {
        "path": (
            "The folder of a run or a .keras file, relative to the spec. --model NAME=PATH "
            "replaces it."
        ),
        "layer": "A nested model in the file, as in `outer.inner`. Default: the whole model.",
        "until": (
            "The name of a layer of the model, or `inner.layer` in a nested one: its result "
            "becomes the result of the model."
        ),
    },
    "ArraySource": {
        "array": "The name of the array in the training data or in `file`.",
        "file": "An npz or npy file with the array, relative to the spec. Default: the data.",
    },
    "StartingWeights": {
        "from": (
            "A run, a .keras file or a .weights.h5 file, relative to the spec: layers of the same "
            "name start with its weights. train --weights PATH replaces it."
        ),
        "rename": (
            "name in the file: name in the spec, for layers with different names. * stands for any "
            "part of a name."
        ),
        "skip": "Layers that start with new random weights; patterns with * and ? are allowed.",
        "layers": "LAYER.WEIGHT: {array: NAME}, for a single weight such as words.embeddings.",
    },
    "ColumnSource": {
        "column": "The name of the array or column.",
        "classes": (
            "The class names of an output, in the order of its units. Default: the names in the "
            "training rows, sorted; none if `dtype` is a number."
        ),
        "dtype": "The type of the cells of the column. A cell without this type is an error.",
        "missing": "Texts that mark a missing value, like an empty cell: [NA, '-'].",
    },
    "InputSpec": {
        "shape": "The shape of one sample, without the batch; null is an unknown length.",
        "dtype": "The dtype of its values. Default: float32.",
    },
    "BlockSpec": {
        "params": "The parameters of the block and their defaults; null means required.",
        "inputs": "The names of the inputs inside the block.",
        "layers": "The graph of the block. Its names are not visible outside.",
        "outputs": "The outputs of the block: a name, a list of names, or public_name: name.",
    },
    "LayerItem": {
        "name": "The name of the layer. Default: as in Keras, dense, dense_1, …",
        "from": (
            "The input of the layer: a name, a list of names for layers that merge, or "
            "call argument: name. Default: the item above, or the only input for the first item."
        ),
        "as": "Names for the several results of one call: [sequence, state_h, state_c].",
        "call": "Constant call arguments: {training: true}.",
        "share": "Instead of a layer: call the named layer or block again, with the same weights.",
        "repeat": (
            "The number of copies, each called on the copy before it; ${i} is 0, 1, … inside. "
            "Default: 1."
        ),
        "preprocess": (
            "true: apply the preprocess_input of this model of keras.applications first, to pixels "
            "from 0 to 255. Default: false."
        ),
        "trainable": (
            "false: training does not change the weights. On a block or a model, also a list of "
            "patterns: only these layers inside are trained. Default: true."
        ),
        "dtype": "The dtype or dtype policy of its computations. Default: training.precision.",
        "adapt": (
            "true: `train` fits the layer (such as Normalization or TextVectorization) to the "
            "training rows before the first epoch. Default: false."
        ),
    },
    "LastRows": {"last": "The fraction of samples for validation: the last rows."},
    "GroupedRows": {
        "fraction": "The fraction of samples for validation, rounded to whole groups.",
        "groups": "The array with the group of each sample.",
    },
    "Training": {
        "epochs": "The number of passes over all samples. Default: 10.",
        "batch_size": "The number of samples in a step. Default: 32.",
        "validation_split": (
            "The fraction of samples that is drawn for validation. {last: FRACTION} takes the last "
            "rows, {fraction: FRACTION, groups: ARRAY} keeps groups whole. Default: 0."
        ),
        "shuffle": "true: each epoch has another order of the samples. Default: true.",
        "seed": "The seed of the initial weights, the order of samples and dropout. Default: 0.",
        "callbacks": "A list of Keras callbacks.",
        "class_weights": "The weights of the samples of a class: {output: {class id: weight}}.",
        "learning_rates": (
            "Factors of the learning rate for parts of the model: {trunk: 0.1} trains the layers "
            "of trunk with a tenth of it. * and ? make patterns. Default: 1."
        ),
        "precision": "The dtype policy of all layers. Default: float32.",
        "precompute": (
            "true: compute the frozen layers at the beginning once for each row, not in every "
            "epoch. Default: auto, by the model and the number of epochs."
        ),
        "jit": (
            "true: XLA compiles the training steps. optimizer: XLA compiles only the updates of "
            "large weights. Default: auto, by the model and the number of steps."
        ),
        "steps_per_call": "The number of steps in one call of TensorFlow. Default: auto.",
        "devices": (
            "The number of devices of this machine that share each batch. Default: auto, all GPUs "
            "if there are several."
        ),
    },
}
