"""Two processes against one at the same global batch, through ``python -m training fit``."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.drawn_data import draw_picture

STEPS = 4

TIMEOUT = 300  # seconds; for a busy machine, a few are enough on an idle one

pytestmark = pytest.mark.filterwarnings("default")


def environment() -> dict[str, str]:
    """One thread per process, the loopback interface, and no trace of another launcher."""
    foreign = ("MASTER_", "LOCAL_RANK", "NODE_RANK", "GLOBAL_RANK", "WORLD_SIZE", "SLURM_", "PL_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    one_thread = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    return {**kept, **one_thread, **loopback}


def fit(run: Path, *options: str, status: int = 0) -> None:
    """Trains in processes of their own, all of which end with this call and this status."""
    command = [
        *(sys.executable, "-m", "training", "fit", "--config", "training/configs/smoke.yaml"),
        *("--trainer.default_root_dir", str(run), "--trainer.max_steps", str(STEPS)),
        *("--trainer.callbacks", "null", "--trainer.logger", "false"),
        *("--trainer.enable_progress_bar", "false"),
        *("--data.crop_size", "32", "--data.style_size", "32"),
        *("--checkpoint.every_n_train_steps", "1", "--checkpoint.save_top_k", "-1"),
        *options,
    ]
    with subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == status, output


def weights(run: Path, step: int) -> Tensor:
    """All weights and style rows of a checkpoint as one vector."""
    path = run / "checkpoints" / f"step-{step:06d}.ckpt"
    state = torch.load(path, weights_only=True)["state_dict"]
    return torch.cat([state[name].flatten() for name in sorted(state)])


def test_two_processes_train_what_one_does_at_the_same_global_batch(
    paintings: Path, vgg_file: Path, tmp_path: Path
) -> None:
    for seed in range(9):  # two global batches of four; the ninth is left out
        draw_picture(tmp_path / "many" / f"{seed}.png", seed)
    data = (
        *("--data.photos", str(tmp_path / "many"), "--data.styles", str(paintings)),
        *("--model.loss_weights", str(vgg_file)),
    )
    one, two = tmp_path / "one", tmp_path / "two"
    fit(one, *data, "--data.batch_size", "4")
    parallel = ("--trainer.devices", "2", "--trainer.strategy", "ddp")
    fit(two, *data, "--data.batch_size", "2", *parallel, "--trainer.accelerator", "cpu")

    way = (weights(one, STEPS) - weights(one, 1)).norm()  # what the steps changed
    gap = (weights(two, STEPS) - weights(one, STEPS)).norm()
    assert way > 0
    # Sums in another order differ in the last digits of float32; another crop or another style
    # anywhere in the batch would make the gap as large as the way.
    assert gap < 0.01 * way, f"{float(gap):.2e} apart after {float(way):.2e}"


def test_a_signal_to_all_processes_ends_them_behind_one_step(
    photos: Path, paintings: Path, vgg_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    fit(
        run,
        *("--data.photos", str(photos), "--data.styles", str(paintings)),
        *("--model.loss_weights", str(vgg_file), "--trainer.max_steps", "1000"),
        *("--trainer.callbacks", "tests.training.fit_runner.SignalAt"),
        *("--trainer.callbacks.numbers", f"[{int(signal.SIGTERM)}]"),
        *("--trainer.callbacks.step", "2"),
        *("--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.accelerator", "cpu"),
        status=128 + signal.SIGTERM,
    )
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2
