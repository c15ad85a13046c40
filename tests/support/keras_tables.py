"""All calls of operations that Keras has, too."""

from tests.support import keras_cases, keras_cases_basic, keras_image_cases, keras_matrix_cases

TABLES = {
    **keras_cases_basic.BASIC,
    **keras_cases.TABLES,
    **keras_matrix_cases.TABLES,
    **keras_image_cases.TABLES,
}
