"""``python -m training export``: a checkpoint becomes the next version of a bundle."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sfumato.bundle.bundle import Bundle, next_version, write_bundle
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.strength import PHOTOGRAPH_STYLE
from sfumato.bundle.style_bank import StyleBank
from sfumato.bundle.style_info import StyleInfo
from training.checkpoint import read_checkpoint
from training.data.image_folder import find_images
from training.data.paintings import read_metadata, style_info
from training.data.photos import center_crops
from training.data.style_ids import style_id
from training.errors import TrainingError
from training.export.export import check_parity, to_onnx
from training.export.int8 import PHOTOS, SIDE, Quantized, quantize
from training.networks.transformation_network import MIN_SIDE
from training.output_place import prepare_model_folder


def export_bundle(
    checkpoint: Path,
    model_dir: Path,
    *,
    float16: bool = True,
    calibration: Path | None = None,
    metadata: Path | None = None,
) -> Bundle:
    """Writes ``checkpoint`` as the next version below ``model_dir``, after checking the graphs.

    Args:
        checkpoint: what ``fit`` wrote.
        model_dir: the model's folder.
        float16: write the network in float16, too.
        calibration: folder of photos for the network in int8; without one there is none.
        metadata: file that describes the paintings anew; those it leaves out keep what the
            checkpoint says of them.

    Raises:
        TrainingError: the checkpoint is none of ours or not finite, ``model_dir`` is a version of
            a model, a graph differs from PyTorch, there are no photos for the calibration, or
            ``metadata`` describes no paintings.
        BundleError: another export took the version in the meantime.
    """
    trained = read_checkpoint(checkpoint)
    styles = _described(trained.styles, metadata) if metadata else trained.styles
    bank = StyleBank(styles, trained.rows.detach().numpy(), trained.network.digest())
    prepare_model_folder(model_dir)
    photos = None if calibration is None else center_crops(find_images(calibration), PHOTOS, SIDE)
    graphs: dict[torch.dtype, bytes] = {}
    for dtype in (torch.float32, torch.float16) if float16 else (torch.float32,):
        graphs[dtype] = to_onnx(trained.network, dtype)
        report = check_parity(trained.network, trained.rows, graphs[dtype], dtype)
        print(
            f"{str(dtype).removeprefix('torch.')}: {len(graphs[dtype]) / 1e6:.2f} MB, "
            f"{report.cases} cases against PyTorch: largest difference {report.largest} of 255 "
            f"levels, mean {report.mean:.4f}"
        )
    training = dict(trained.training)
    int8 = None
    if photos is not None:
        paintings = [n for n, style in enumerate(styles) if style.id != PHOTOGRAPH_STYLE]
        int8 = quantize(graphs[torch.float32], trained.rows.detach()[paintings], photos)
        training["int8_psnr"] = {
            styles[n].id: round(float(psnr), 2)
            for n, psnr in zip(paintings, int8.psnr, strict=True)
        }
        print(_said_of(int8))
    return write_bundle(
        model_dir / str(next_version(model_dir)),
        network=NetworkInfo(
            architecture=trained.network.architecture,
            digest=bank.network_digest,
            style_size=trained.network.style_size,
            min_side=MIN_SIDE,
        ),
        styles=bank.infos,
        rows=np.array(bank.rows),
        training=training,
        model=graphs[torch.float32],
        model_float16=graphs.get(torch.float16),
        model_int8=None if int8 is None else int8.model,
    )


def _said_of(int8: Quantized) -> str:
    left_out = f", {int8.left_out} convolutions left in float32" if int8.left_out else ""
    return (
        f"int8: {len(int8.model) / 1e6:.2f} MB, {len(int8.psnr)} styles against float32: PSNR "
        f"median {np.median(int8.psnr):.1f} dB, lowest {int8.psnr.min():.1f}{left_out}"
    )


def _described(styles: Sequence[StyleInfo], metadata: Path) -> list[StyleInfo]:
    if not metadata.is_file():
        raise TrainingError(f"no metadata file {str(metadata)!r}: give a CSV file")
    wanted = {style.id for style in styles}
    by_id: dict[str, StyleInfo] = {}
    for file, columns in read_metadata(metadata).items():
        if (style := style_id(Path(file))) not in wanted:
            continue
        if style in by_id:
            raise TrainingError(f"{str(metadata)!r} describes style {style!r} twice")
        by_id[style] = style_info(Path(file), columns)
    return [by_id.get(style.id, style) for style in styles]


def main(arguments: Sequence[str]) -> None:
    """Runs ``export`` with command-line ``arguments``."""
    parser = argparse.ArgumentParser(
        prog="python -m training export",
        description="Write a checkpoint as the next version of a bundle and check it: PyTorch "
        "against ONNX Runtime on many sizes, alone and in mixed batches.",
    )
    parser.add_argument("checkpoint", type=Path, help="a .ckpt file of `python -m training fit`")
    parser.add_argument("model", type=Path, help="the model's folder, such as models/NAME")
    parser.add_argument("--no-float16", action="store_true", help="write the float32 file only")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="folder of photos; write the network in int8, too, for CPUs (default: do not)",
    )
    parser.add_argument(
        "--metadata", type=Path, help="CSV file that describes the paintings anew, like sources.csv"
    )
    options = parser.parse_args(arguments)
    bundle = export_bundle(
        options.checkpoint,
        options.model,
        float16=not options.no_float16,
        calibration=options.calibration,
        metadata=options.metadata,
    )
    print(f"wrote {bundle.path}: {len(bundle.styles)} styles, network {bundle.network.digest}")
