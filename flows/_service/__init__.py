"""What a small team leaves running: a Prefect server, a worker for each pool, an MLflow server, of one project.

places      where all of it lies, its addresses, and the environment it runs in
processes   which processes belong to it, found by a mark that they inherit, and how they end
supervisor  supervisord's configuration, and talking to it
deployments prefect.yaml on the server: pools, schedules, the automation that finds dead runs
start, stop, state, alone   the commands: up, down, status, serve
"""
