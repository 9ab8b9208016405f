"""The stack as AWS CDK constructs, one a file; `stack.py` is the table of contents.

Importing this package chooses the Node that runs the CDK, because jsii starts one as soon as
`aws_cdk` is imported: import `infra` before it.
"""

from __future__ import annotations

from infra.node import use_packaged_node

use_packaged_node()
