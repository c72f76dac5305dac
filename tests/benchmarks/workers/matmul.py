"""Floating-point operations a second of TensorFlow's product of large matrices."""

import time

import protocol
import tensorflow as tf

SIZE = 3000
TIMES = 5


def main() -> None:
    one, other = (tf.random.uniform((SIZE, SIZE)) for _ in range(2))

    def rate() -> float:
        started = time.perf_counter()
        for _ in range(TIMES):
            result = tf.matmul(one, other)
        float(result[0, 0])
        return TIMES * 2 * SIZE**3 / (time.perf_counter() - started)

    rate()
    protocol.serve(rate)


if __name__ == "__main__":
    main()
