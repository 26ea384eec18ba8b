"""The network in the form that a processor calculates fastest; the same numbers as trained.

`build.py` replaces the parts of a trained model by those of `features.py`, `positions.py` and
`layers.py`. Their matrix products come from `products.py`, and may come from elsewhere.
"""

from w2v_cli.inference.form.build import (
    has_form,
    has_onednn,
    inference_form,
    is_inference_form,
    products_dtype,
    why_not,
)
from w2v_cli.inference.form.products import FloatProducts, Products

__all__ = [
    "FloatProducts",
    "Products",
    "has_form",
    "has_onednn",
    "inference_form",
    "is_inference_form",
    "products_dtype",
    "why_not",
]
