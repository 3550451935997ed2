"""Compile a family's kernels for GPUs that are not there, and read the machine code: ``python compile_ahead.py compilations.<family>``.

Prints JSON: for each compilation and architecture the registers, the bytes of stack and of shared memory and, where instructions are expected, how
often each occurs; or what went wrong.
Runs without TRITON_INTERPRET: the variable is read when a kernel is defined.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

SHARED_MEMORY = {80: 163 * 1024, 90: 227 * 1024}  # bytes that one block may have, by architecture
PROPERTIES = {
    # 16 bytes a thread at once: into registers, asynchronously into shared memory, or by the bulk copies of Hopper
    "vector loads": {80: r"LDG\..*\b128|LDGSTS\..*\.128", 90: r"LDG\..*\b128|LDGSTS\..*\.128|UTMALDG|UBLKCP"},
    "vector stores": {80: r"STG\..*\b128", 90: r"STG\..*\b128|UTMASTG|UBLKCP"},
    "tensor cores": {80: "HMMA", 90: "HGMMA"},
}
INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)", re.MULTILINE)


def shortcomings(found: dict[str, Any]) -> list[str]:
    """What a compilation of :func:`compile_all` lacks."""
    if "failed" in found:
        return [f"does not compile: {found['failed']}"]
    architecture, wrong = found["architecture"], []
    if found["stack"]:  # in memory: what the registers do not hold
        wrong.append(f"spills: {found['stack']} bytes a thread, with {found['registers']} registers")
    if found["shared"] > SHARED_MEMORY[architecture]:
        wrong.append(f"asks for {found['shared']} bytes of shared memory of {SHARED_MEMORY[architecture]}")
    return wrong + [f"has no {name}" for name in found["expects"] if not count(found, PROPERTIES[name][architecture])]


def count(found: dict[str, Any], pattern: str) -> int:
    """How many instructions match."""
    return sum(times for name, times in found["instructions"].items() if re.match(pattern, name))


def compile_all(module: str) -> list[dict[str, Any]]:
    """Every compilation in the `COMPILATIONS` of `module`, for every architecture."""
    entries = importlib.import_module(module).COMPILATIONS
    return [_attempt(entry, architecture) for entry in entries for architecture in SHARED_MEMORY]


def _attempt(entry: Any, architecture: int) -> dict[str, Any]:
    about = {"name": entry.name, "architecture": architecture, "expects": list(entry.expects)}
    try:
        return {**about, **_compile(entry, architecture)}
    except Exception as error:
        return {**about, "failed": f"{type(error).__name__}: {error}"[:2000]}


def _compile(entry: Any, architecture: int) -> dict[str, Any]:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types, aligned = {}, {}
    for place, name in enumerate(entry.kernel.arg_names):
        if name in entry.constants:
            types[name] = "constexpr"
            continue
        types[name], _, hint = entry.signature[name].partition(":")
        if (hint or ("16" if types[name].startswith("*") else "1")) == "16":
            aligned[(place,)] = [["tt.divisibility", 16]]
    source = ASTSource(entry.kernel, types, dict(entry.constants), aligned)
    options = {"num_warps": entry.num_warps, "num_stages": getattr(entry, "num_stages", 3), "enable_fp_fusion": True}
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options=options)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(compiled.asm["cubin"])
        usage = _read("-res-usage", file.name)
        code = _read("-sass", file.name) if entry.expects else ""  # takes a third of a second
    return {
        "registers": int(re.search(r"REG:(\d+)", usage)[1]),
        "stack": int(re.search(r"STACK:(\d+)", usage)[1]),
        "shared": compiled.metadata.shared,
        "instructions": dict(Counter(INSTRUCTION.findall(code))),
    }


def _read(what: str, path: str) -> str:
    """What the disassembler of Triton's wheel says of a compiled kernel."""
    from triton import knobs

    return subprocess.run([knobs.nvidia.cuobjdump.path, what, path], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    print(json.dumps(compile_all(sys.argv[1])))
