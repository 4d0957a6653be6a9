"""The piece of the Train page that shows the Ray clusters that train: their nodes, and what runs where."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from fmnist import settings
from fmnist.store.library import Library
from fmnist.store.run import Run
from fmnist.training import launcher
from fmnist.training.messages import ClusterState
from fmnist.training.progress import TrainingProgress
from fmnist.words import escape

MAX_NAMED = 4  # Runs of a node that are named; the others are counted.


def show(library: Library, progress: TrainingProgress) -> None:
    """The cluster that new runs go to, and those that train some of these runs. Nothing where there is none."""
    running = [run for run in progress.running() if run.cluster]
    waiting = library.own.waiting_for_clusters()
    addresses = dict.fromkeys(filter(None, [settings.ray_address(), *waiting, *(run.cluster for run in running)]))
    if not addresses:
        return
    # Who only looks, takes no lock.
    alive = bool(progress.active) if settings.read_only() else launcher.is_alive(library.own)
    for address in addresses:
        state = launcher.cluster_state(library.own, address)
        if state.problem:
            say_problem(library, state, waiting.get(address, 0))
        elif alive and state.nodes:
            show_nodes(state, [run for run in running if run.cluster == address])
        else:
            st.caption(f":material/hub: Runs go to the Ray cluster at {escape(address)}.")


def say_problem(library: Library, state: ClusterState, waiting: int) -> None:
    """Why a cluster trains nothing, what becomes of its runs, and the way out."""
    runs = "1 run waits" if waiting == 1 else f"{waiting:,} runs wait"
    kept = f" {runs} for it: what was begun resumes from its last finished epoch." if waiting else ""
    st.warning(escape(state.problem or "") + kept, icon=":material/cloud_off:")
    offered = waiting and not settings.read_only()
    if offered and st.button("Train them on this machine", key=f"home-{state.address}", icon=":material/computer:"):
        library.own.move_to_local(state.address)
        launcher.start(library.own)
        st.rerun()


def show_nodes(state: ClusterState, running: Sequence[Run]) -> None:
    """How many cores are in use, and by which runs on which node."""
    used = sum(run.threads or 1 for run in running)
    nodes = [node for node in state.nodes if node.cpus or node.gpus]  # The head often trains nothing.
    st.markdown(
        f":material/hub: **Ray cluster** at {escape(state.address)}: {len(nodes)} "
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
                "runs": ", ".join(run.name for run in here[:MAX_NAMED])
                + (f" and {len(here) - MAX_NAMED} more" if len(here) > MAX_NAMED else ""),
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
            "runs": st.column_config.TextColumn("Running", width="large"),
        },
        hide_index=True,
        key=f"nodes-{state.address}",
        alt="; ".join(f"{row['node']}: {row['count']} {'run' if row['count'] == 1 else 'runs'}" for row in rows),
    )
