"""Taking new footage from an inbox into a footage folder, so that nothing is lost and nothing comes in twice.

    inbox (folder or URL) -> arrivals -> examine -> shelf -> data/footage/<folder>
                               whole?    bad bytes?  there already?

`remote` brings what lies behind a URL here first, `books` keeps what was taken, from where, and what was not and why,
`desk` puts them together for one inbox. Scheduling, retries and the data version are the flow's.
"""

from __future__ import annotations

from tasks.ingest.arrivals import Unit, find
from tasks.ingest.books import Row
from tasks.ingest.desk import Desk
from tasks.ingest.remote import RemoteFile, is_url

__all__ = ["Desk", "RemoteFile", "Row", "Unit", "find", "is_url"]
