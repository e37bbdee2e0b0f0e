# SPDX-License-Identifier: GPL-2.0-only
"""Keeps bpf(2), or one command of it, from a program that is about to start (seccomp(2))."""
import ctypes
import platform
import struct

BTF_GET_NEXT_ID = 23  # of enum bpf_cmd: how the kernel's own BTF is found without /sys
_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ERRNO, _ALLOW, _EPERM = 0x00050000, 0x7fff0000, 1
_NUMBER_AT, _FIRST_ARGUMENT_AT = 0, 16  # in struct seccomp_data; little-endian


def refuse_bpf(command=None):
    """In the child, for good: bpf(2), or this command of it, fails with EPERM."""
    steps = [(_LOAD, 0, 0, _NUMBER_AT),
             (_JUMP_IF_EQUAL, 0, 1 if command is None else 3, _NUMBERS[platform.machine()])]
    if command is not None:
        steps += [(_LOAD, 0, 0, _FIRST_ARGUMENT_AT), (_JUMP_IF_EQUAL, 0, 1, command)]
    steps += [(_RETURN, 0, 0, _ERRNO | _EPERM), (_RETURN, 0, 0, _ALLOW)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    filter_program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filter_program, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")
