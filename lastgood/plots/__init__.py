"""Pictures of what was judged, for pages and messages; they need the extra ``plots``."""

from lastgood.plots.drawing import png, svg

__all__ = ["png", "svg"]
