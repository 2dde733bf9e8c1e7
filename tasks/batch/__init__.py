"""Registered models over new footage, again and again: what is done and right is kept, the rest is made.

known      what is known of files that have not changed since, so that an hourly look does not read them
sources    what the footage holds now
kinds      one source through a model of each kind
results    a source's result at rest, and whether it is whole
tables     the tables of a batch
lock       one process at a time
working    handing out the work
running    one model over the sources: what is to be done, and what came of it
anomalies  where a source is unlike what the model was trained on
"""
