"""Questions to a synthesized template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Template = dict[str, Any]


def named(template: Template, output: str, type_: str) -> Template:
    """The resource of `type_` that an output names."""
    resource: Template = template["Resources"][logical_id(template, output)]
    assert resource["Type"] == type_
    return resource


def logical_id(template: Template, output: str) -> str:
    """The logical id of the resource that an output names."""
    found: str = template["Outputs"][output]["Value"]["Ref"]
    return found


def arn(template: Template, output: str, attribute: str = "Arn") -> Template:
    """The ARN of the resource that an output names, as other resources refer to it."""
    return {"Fn::GetAtt": [logical_id(template, output), attribute]}


def function(template: Template, name: str) -> Template:
    """The properties of a function, by its output without `FunctionName`."""
    found: Template = named(template, f"{name}FunctionName", "AWS::Lambda::Function")["Properties"]
    return found


def of_type(template: Template, type_: str) -> list[Template]:
    """All resources of one type."""
    return [r for r in template["Resources"].values() if r["Type"] == type_]


def source_of(template: Template, name: str) -> Template:
    """The event source mapping of a function, the whole resource."""
    reference = {"Ref": logical_id(template, f"{name}FunctionName")}
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping")
    (found,) = [m for m in mappings if m["Properties"]["FunctionName"] == reference]
    return found


def role_of(template: Template, name: str) -> str:
    """The logical id of a function's role."""
    found: str = function(template, name)["Role"]["Fn::GetAtt"][0]
    return found


def policies_of(template: Template, name: str) -> dict[str, Template]:
    """The policies of a function's role by logical id."""
    role = {"Ref": role_of(template, name)}
    return {
        id_: resource["Properties"]["PolicyDocument"]
        for id_, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Policy" and role in resource["Properties"]["Roles"]
    }


def statements(template: Template) -> Iterator[Template]:
    """All statements of all roles' policies."""
    for policy in of_type(template, "AWS::IAM::Policy"):
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def as_list(value: Any) -> list[Any]:
    """CloudFormation and IAM write a list of one as its only member."""
    return value if isinstance(value, list) else [value]
