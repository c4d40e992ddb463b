"""The fruit-stand tutorial over gRPC, by a client that knows the daemon from its .proto files alone.

usage: tutorial.py PROTO_FOLDER WORK_FOLDER ADDRESS < SALES
Prints what it found as JSON.
"""

import json
import os
import sys
import time

import grpc
import grpc_tools
from grpc_tools import protoc

protos, work, address = sys.argv[1:]
well_known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
files = [f"{name}.proto" for name in ("health", "pfs", "pps", "protoversion")]
made = protoc.main(
    ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={work}", f"--grpc_python_out={work}", *files]
)
if made != 0:
    sys.exit("protoc failed")
sys.path.insert(0, work)

import health_pb2_grpc  # noqa: E402
import pfs_pb2 as pfs  # noqa: E402
import pfs_pb2_grpc  # noqa: E402
import pps_pb2 as pps  # noqa: E402
import pps_pb2_grpc  # noqa: E402
import protoversion_pb2_grpc  # noqa: E402
from google.protobuf.empty_pb2 import Empty  # noqa: E402

fruits = ("apple", "banana", "orange")


def filter_pipeline():
    """Divides the sales by fruit, block by block."""
    lines = [f"grep {fruit} /pfs/data/sales >> /pfs/out/{fruit}" for fruit in fruits]
    return pps.CreatePipelineRequest(
        pipeline=pps.Pipeline(name="filter"),
        transform=pps.Transform(cmd=["sh"], stdin=[*lines, "true"]),
        parallelism_spec=pps.ParallelismSpec(strategy=pps.ParallelismSpec.CONSTANT, constant=1),
        inputs=[pps.PipelineInput(repo=pfs.Repo(name="data"))],
    )


def sum_pipeline():
    """Adds up each fruit, going on from the sum before."""
    script = """
for fruit in /pfs/filter/*; do
  name=$(basename $fruit); before=0
  [ -f /pfs/prev/$name ] && before=$(cat /pfs/prev/$name)
  awk -v sum=$before '{ sum += $2 } END { print sum }' $fruit > /pfs/out/$name
done
"""
    method = pps.Method(partition=pps.FILE, incremental=pps.DIFF)
    return pps.CreatePipelineRequest(
        pipeline=pps.Pipeline(name="sum"),
        transform=pps.Transform(cmd=["sh"], stdin=script.split("\n")),
        parallelism_spec=pps.ParallelismSpec(constant=1),
        inputs=[pps.PipelineInput(repo=pfs.Repo(name="filter"), method=method)],
    )


def refusal(call, request):
    """Status and text of a call that must fail."""
    try:
        call(request)
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return None


class Tutorial:
    def __init__(self, channel):
        self.files = pfs_pb2_grpc.APIStub(channel)
        self.pipelines = pps_pb2_grpc.APIStub(channel)
        self.nobodys = channel.unary_unary(
            "/pfs.API/Nobodys", pfs.InspectRepoRequest.SerializeToString
        )
        self.version = protoversion_pb2_grpc.APIStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)

    def start(self, repo="data", parent="master"):
        parent = pfs.Commit(repo=pfs.Repo(name=repo), id=parent)
        return self.files.StartCommit(pfs.StartCommitRequest(parent=parent))

    def put(self, commit, path, *values):
        """The file is named in the first message alone."""

        def messages():
            for i, value in enumerate(values):
                named = {"file": pfs.File(commit=commit, path=path)} if i == 0 else {}
                yield pfs.PutFileRequest(value=value, delimiter=pfs.LINE, **named)

        self.files.PutFile(messages())

    def finish(self, commit):
        self.files.FinishCommit(pfs.FinishCommitRequest(commit=commit))

    def get(self, commit, path):
        file = pfs.File(commit=commit, path=path)
        return b"".join(part.value for part in self.files.GetFile(pfs.GetFileRequest(file=file)))

    def run(self, sales):
        v = self.version.GetVersion(Empty())
        self.health.Health(Empty())
        self.files.CreateRepo(pfs.CreateRepoRequest(repo=pfs.Repo(name="data")))
        before = time.time_ns()
        commit = self.start()
        middle = len(sales) // 2
        self.put(commit, "sales", sales[:middle], sales[middle:])
        self.finish(commit)
        after = time.time_ns()
        info = self.files.InspectCommit(pfs.InspectCommitRequest(commit=commit))
        listed = self.files.ListFile(
            pfs.ListFileRequest(file=pfs.File(commit=commit, path="/"))
        ).file_info
        same = self.get(commit, "sales") == sales
        self.pipelines.CreatePipeline(filter_pipeline())
        self.pipelines.CreatePipeline(sum_pipeline())
        flushed = self.files.FlushCommit(pfs.FlushCommitRequest(commit=[commit])).commit_info
        result = next(info.commit for info in flushed if info.commit.repo.name == "sum")
        jobs = self.pipelines.ListJob(pps.ListJobRequest()).job_info
        logs = self.pipelines.GetLogs(pps.GetLogsRequest(job=jobs[0].job))
        job = self.pipelines.InspectJob(pps.InspectJobRequest(job=jobs[0].job, block_state=True))
        return {
            "version": [v.major, v.minor, v.micro, v.additional],
            "commit": commit.id,
            "same": same,
            "inTime": before < info.started.ToNanoseconds() < info.finished.ToNanoseconds() < after,
            "listed": [[f.file.path, f.size_bytes, f.commit_modified.id] for f in listed],
            "flushed": [info.commit.repo.name for info in flushed],
            "totals": {fruit: int(self.get(result, fruit)) for fruit in fruits},
            "jobs": sorted([j.pipeline.name, pps.JobState.Name(j.state)] for j in jobs),
            "chunks": [pps.ChunkState.Name(chunk.state) for chunk in job.chunks],
            "logs": b"".join(part.value for part in logs).decode(),
            **self.edges(),
        }

    def edges(self):
        """What is not in the tutorial, and breaks first with a strange client."""
        commit = self.start()
        big = bytes(range(256)) * (20 * 4096)
        self.put(commit, "big", big)
        self.files.PutFile(iter(()))
        waiting = pfs.FlushCommitRequest(
            commit=[commit], to_repo=[pfs.Repo(name="sum")]
        )
        try:
            self.files.FlushCommit(waiting, timeout=0.2)
            late = None
        except grpc.RpcError as error:
            late = error.code().name
        inspect = self.files.InspectRepo
        return {
            "big": self.get(commit, "big") == big,
            "late": late,
            "refused": [
                refusal(inspect, pfs.InspectRepoRequest(repo=pfs.Repo(name="100 % é"))),
                refusal(self.nobodys, pfs.InspectRepoRequest()),
            ],
        }


with grpc.insecure_channel(address) as channel:
    json.dump(Tutorial(channel).run(sys.stdin.buffer.read()), sys.stdout)
