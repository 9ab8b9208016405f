"""What a month on AWS costs, from what a sample was counted to take: `estimate`.

counts = sample(MyMachine(), actions, shape)          # blockfold.runtime.sample
bill = estimate(Workload(shape=shape, counts=counts))
"""

from blockfold.application.cost.bill import Bill, Line
from blockfold.application.cost.estimate import estimate
from blockfold.application.cost.usage import Counts, Usage
from blockfold.application.cost.workload import Shape, Timing, Workload

__all__ = ["Bill", "Counts", "Line", "Shape", "Timing", "Usage", "Workload", "estimate"]
