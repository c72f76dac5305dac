"""Own parts of specs/plugins/digits_vae.yaml: a layer that draws a code, and adds its own loss."""

import keras


@keras.saving.register_keras_serializable(package="variational")
class Sampling(keras.layers.Layer):
    """Draw a code around a mean; the loss is how far it is from a standard normal one.

    Args:
        weight: Float. What the divergence of a sample counts in the loss.
    """

    def __init__(self, weight: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight
        self.seed = keras.random.SeedGenerator(0)
        self.divergence = keras.metrics.Mean("divergence")

    def call(self, mean, log_variance):
        spread = 1 + log_variance - keras.ops.square(mean) - keras.ops.exp(log_variance)
        divergence = -0.5 * keras.ops.mean(keras.ops.sum(spread, axis=-1))
        self.add_loss(self.weight * divergence)
        self.divergence.update_state(divergence)
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seed)
        return mean + keras.ops.exp(0.5 * log_variance) * noise

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}
