"""Explanations that can be checked: where a model looked, and what was measured, as pictures to lay over the photo."""

#: overlays that show, or come of, a lesion
OF_LESIONS = ("lesion", "lesion_class")
