"""Models as the Open Inference Protocol and Triton describe them."""

from typing import Final

from serving.device.onnx_runtime import CUDA
from serving.models.model import IndexEntry, Model
from serving.monitoring.statistics import Durations, VersionStatistics
from serving.wire.infer_messages import INPUTS, MAX_PHOTOS, OUTPUT
from sfumato.inference import open_inference_pb2 as pb

_PLATFORM: Final = "onnxruntime_onnx"
_BACKEND: Final = "onnxruntime"
_DATA_TYPES: Final = {"UINT8": pb.TYPE_UINT8, "FP32": pb.TYPE_FP32}


def metadata_message(model: Model, versions: list[int]) -> pb.ModelMetadataResponse:
    """Describes the tensors of ``model``, of which these versions are loaded."""
    tensor = pb.ModelMetadataResponse.TensorMetadata
    return pb.ModelMetadataResponse(
        name=model.name,
        versions=[str(version) for version in sorted(versions)],
        platform=_PLATFORM,
        inputs=[
            tensor(name=name, datatype=INPUTS[name][0], shape=[-1, *dims])
            for name, dims in _dims(model).items()
        ],
        outputs=[tensor(name=OUTPUT, datatype="UINT8", shape=[-1, -1, -1, 3])],
    )


def config_message(model: Model) -> pb.ModelConfigResponse:
    """Describes how ``model`` is run."""
    settings = model.lane.settings
    cuda = model.session.provider == CUDA
    kind = pb.ModelInstanceGroup.KIND_GPU if cuda else pb.ModelInstanceGroup.KIND_CPU
    config = pb.ModelConfig(
        name=model.name,
        platform=_PLATFORM,
        max_batch_size=MAX_PHOTOS,
        input=[
            pb.ModelInput(
                name=name,
                data_type=_DATA_TYPES[INPUTS[name][0]],
                dims=dims,
                optional=name != "image",
            )
            for name, dims in _dims(model).items()
        ],
        output=[pb.ModelOutput(name=OUTPUT, data_type=pb.TYPE_UINT8, dims=[-1, -1, 3])],
        instance_group=[pb.ModelInstanceGroup(name=model.session.provider, count=1, kind=kind)],
        dynamic_batching=pb.ModelDynamicBatching(
            preferred_batch_size=[settings.max_batch_size],
            max_queue_delay_microseconds=round(settings.max_batch_delay * 1e6),
        ),
        backend=_BACKEND,
    )
    return pb.ModelConfigResponse(config=config)


def statistics_message(model: Model, counts: VersionStatistics) -> pb.ModelStatistics:
    """Tells what a version has done."""
    return pb.ModelStatistics(
        name=model.name,
        version=str(model.version),
        last_inference=counts.last,
        inference_count=counts.photos,
        execution_count=sum(batches.count for batches in counts.batches.values()),
        inference_stats=pb.InferStatistics(
            success=_duration(counts.success),
            fail=_duration(counts.fail),
            queue=_stage(counts, "queue"),
            compute_input=_stage(counts, "decode"),
            compute_infer=_stage(counts, "inference"),
            compute_output=_stage(counts, "encode"),
        ),
        batch_stats=[
            pb.InferBatchStatistics(batch_size=photos, compute_infer=_duration(batches))
            for photos, batches in sorted(counts.batches.items())
        ],
    )


def index_message(entry: IndexEntry) -> pb.RepositoryIndexResponse.ModelIndex:
    """Tells how a version stands."""
    return pb.RepositoryIndexResponse.ModelIndex(
        name=entry.name, version=str(entry.version), state=entry.state, reason=entry.reason
    )


def _dims(model: Model) -> dict[str, list[int]]:
    """Gives the shape of each input without the batch."""
    styles, numbers = model.bank.rows.shape
    return {"image": [-1, -1, 3], "style_weights": [styles], "style": [numbers]}


def _stage(counts: VersionStatistics, name: str) -> pb.StatisticDuration:
    return _duration(counts.stages.get(name, Durations()))


def _duration(durations: Durations) -> pb.StatisticDuration:
    return pb.StatisticDuration(count=durations.count, ns=durations.ns)
