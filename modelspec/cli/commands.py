"""The verbs, in the order in which a user meets them."""

import click

from modelspec.cli.build import build
from modelspec.cli.check import check
from modelspec.cli.evaluate import evaluate
from modelspec.cli.layers import layers
from modelspec.cli.new import new
from modelspec.cli.predict import predict
from modelspec.cli.summary import summary
from modelspec.cli.train import train

commands: list[click.Command] = [
    new,
    layers,
    check,
    summary,
    build,
    train,
    evaluate,
    predict,
]
