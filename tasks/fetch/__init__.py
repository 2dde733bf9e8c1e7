"""`rushes fetch`: the public sets of the articles and their kin, from their own servers, verified and unpacked."""

from __future__ import annotations

from tasks.fetch.catalogue import Archive, PublicSet, find, sets
from tasks.fetch.fetching import Places, fetch, is_there, places

__all__ = ["Archive", "Places", "PublicSet", "fetch", "find", "is_there", "places", "sets"]
