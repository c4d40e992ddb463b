"""Client for Mammoth, git for data with pipelines: see :class:`Client`."""

from .client import Client
from .errors import Error
from .model import Commit, CommitName, File, FileDifference, FileVersion
from .model import Job, JobInput, Pipeline, PipelineInput, Repo

__all__ = ["Client", "Error", "Commit", "CommitName", "File", "FileDifference"]
__all__ += ["FileVersion", "Job", "JobInput", "Pipeline", "PipelineInput", "Repo"]
