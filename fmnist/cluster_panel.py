"""The piece of the Train page that shows the Ray clusters that train: their nodes, and what runs where."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fmnist import access, trainer, widgets
from fmnist.library import Library
from fmnist.store import ACTIVE, Run
from fmnist.worker import ClusterState

MOST_NAMED = 4  # Runs of a node that are named; the others are counted.


def show(shelf: Library, batch: Sequence[Run]) -> None:
    """The cluster that new runs go to, and those that train some of these runs. Nothing where there is none."""
    configured = trainer.cluster_address()
    active = [run for run in batch if run.status in ACTIVE]
    addresses = dict.fromkeys(filter(None, [configured, *(run.cluster for run in active)]))
    if not addresses:
        return
    alive = bool(active) if access.read_only() else trainer.is_alive(shelf.own)  # Who only looks, takes no lock.
    for address in addresses:
        runs = [run for run in active if run.cluster == address]
        state = trainer.cluster_state(shelf.own, address)
        if state.problem:
            say_problem(shelf, state, runs)
        elif alive and state.nodes:
            show_nodes(state, [run for run in runs if run.status == "running"])
        else:
            st.caption(f":material/hub: Runs go to the Ray cluster at {widgets.escape(address)}.")


def say_problem(shelf: Library, state: ClusterState, runs: Sequence[Run]) -> None:
    """Why a cluster trains nothing, what becomes of its runs, and the way out."""
    waiting = "1 run waits" if len(runs) == 1 else f"{len(runs)} runs wait"
    kept = f" {waiting} for it and will go on from the last finished epoch when it is back." if runs else ""
    st.warning(widgets.escape(state.problem) + kept, icon=":material/cloud_off:")
    offered = runs and not access.read_only()
    if offered and st.button("Train them on this machine", key=f"home-{state.address}", icon=":material/computer:"):
        shelf.own.bring_home(state.address)
        trainer.start(shelf.own)
        st.rerun()


def show_nodes(state: ClusterState, running: Sequence[Run]) -> None:
    """How many cores are in use, and by which runs on which node."""
    used = sum(run.threads or 1 for run in running)
    nodes = [node for node in state.nodes if node.cpus or node.gpus]  # The head often trains nothing.
    st.markdown(
        f":material/hub: **Ray cluster** at {widgets.escape(state.address)}: {len(nodes)} "
        f"{'node' if len(nodes) == 1 else 'nodes'}, {used} of {state.slots} cores in use."
    )
    rows = []
    for node in nodes:
        here = [run for run in running if run.node == node.name]
        rows.append(
            {
                "node": node.name,
                "used": sum(run.threads or 1 for run in here),
                "cores": node.cpus,
                "gpus": node.gpus,
                "count": len(here),
                "runs": ", ".join(run.name for run in here[:MOST_NAMED])
                + (f" and {len(here) - MOST_NAMED} more" if len(here) > MOST_NAMED else ""),
            }
        )
    st.dataframe(
        rows,
        column_config={
            "node": "Node",
            "used": st.column_config.NumberColumn("Cores in use", format="%d"),
            "cores": st.column_config.NumberColumn("Cores", format="%d"),
            "gpus": st.column_config.NumberColumn("GPUs", format="%d") if any(node.gpus for node in nodes) else None,
            "count": st.column_config.NumberColumn("Runs", format="%d"),
            "runs": st.column_config.TextColumn("Which", width="large"),
        },
        hide_index=True,
        key=f"nodes-{state.address}",
        alt="; ".join(f"{row['node']}: {row['count']} runs" for row in rows),
    )
