"""hypothesis: the same examples every time, and no deadlines, as machines are busy."""

from hypothesis import settings

settings.register_profile("lastgood", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("lastgood")
