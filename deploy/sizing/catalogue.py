"""The specification's tables: instances with their prices, and the memory that it expects of each part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InstanceType:
    """One size. Prices are the specification's (us-east-1, on demand, $ a month) and were not looked up again."""

    name: str
    vcpu: int
    memory_gb: int
    dollars_a_month: int
    gpu: bool = False

    @property
    def cores(self) -> int:
        """Physical cores; a vCPU of these families is one of a core's two threads. At least one."""
        return max(1, self.vcpu // 2)


INSTANCES = (
    InstanceType("t3.micro", 2, 1, 8),
    InstanceType("m5.large", 2, 8, 70),
    InstanceType("m5.xlarge", 4, 16, 140),
    InstanceType("c5.2xlarge", 8, 16, 250),
    InstanceType("m5.2xlarge", 8, 32, 280),
    InstanceType("r5.2xlarge", 8, 64, 365),
    InstanceType("g4dn.xlarge", 4, 16, 380, gpu=True),
    InstanceType("p3.2xlarge", 8, 61, 2200, gpu=True),
)

#: what the specification calls the minimum viable one, and what .ebextensions pins
PINNED = "m5.2xlarge"
#: of .ebextensions/20-scaling.config
MAX_INSTANCES = 3

#: {part as measured: what the specification expects, in MB}
EXPECTED_MB = {
    "python": "100",
    "web": "200",
    "opencv": "200",
    "scikit-image": "150",
    "pillow": "50",
    "faiss": "300",
    "pytorch": "800",
    "tensorflow": "500",
    "index": "2,000–5,000",
}
#: the operating system and the platform's own processes: the specification's figure, not measured here
SYSTEM_MB = 500.0
#: its totals for one instance, in GB
EXPECTED_TOTALS_GB = {"minimum": 8.6, "recommended": 14.6, "full SCIN": 24.6}
