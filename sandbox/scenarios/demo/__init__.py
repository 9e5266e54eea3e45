"""`make demo`: a good release, then a bad one that rolls itself back, on real parts."""
