"""Titles for films that do not exist: `The Glass Harbour`."""

from __future__ import annotations

_WORDS = """
    amber ancient autumn azure barren bitter blind borrowed brass brazen bright broken burning candle cardinal
    chalk cinder clay clockwork cobalt copper coral crimson crooked crystal distant double drifting eastern
    ebony eleventh emerald empty endless fading falling feather final first flint foreign forgotten fourth
    frozen gentle gilded glass golden granite hidden hollow honest hungry inland iron ivory jade last leaden
    lemon little lonely lost lunar marble midnight mirror narrow northern paper patient pearl pewter quiet
    ragged restless rising rusted saffron salt scarlet second secret seventh silent silver sleeping southern
    stolen sunken tender third thorn timber unseen velvet wandering western winter wooden

    alley anchor apple archive arrow bakery ballad barge beacon bell bridge canal carousel cathedral cellar
    chapel circus city clock coast compass corridor cottage crossing crown desert diary dynasty echo engine
    estate evening exile falcon farewell ferry fever fiddle field forest fountain frontier garden gate ghost
    glacier guest harbour harvest hermit horizon hotel hour island journey jury kingdom ladder lagoon lantern
    lemonade letter library lighthouse machine map market meadow mill monsoon mountain museum oath ocean orchard
    orchestra palace parade pilot prairie promise rain raven reef river road rumour sailor season shadow shore
    signal station storm street summit theatre tide tower tunnel
"""
FIRST, SECOND = (part.split() for part in _WORDS.split("\n\n"))
STRIDE = 3571  # coprime to the number of titles, so that neighbours share no word


def title(number: int, seed: int = 0) -> str:
    """The title of film 1, 2, 3 ...; the first `len(FIRST) * len(SECOND)`, 10,000, of a seed all differ."""
    first, second = divmod((number * STRIDE + seed * 7919) % (len(FIRST) * len(SECOND)), len(SECOND))
    return f"The {FIRST[first].capitalize()} {SECOND[second].capitalize()}"
