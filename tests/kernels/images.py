# SPDX-License-Identifier: GPL-2.0-only
"""
What the virtual machines start from: an image that is the same for all, and the
modules of each kernel. All of it is copied from this machine; nothing is installed.
"""
import json
import os
import re
import shutil
import subprocess
import sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
PYTHON = "/usr/bin/python3"
TOOLS = ("ip", "ss", "nft", "unshare", "setpriv", "mount", "umount", "nsenter")
PROGRAMS = ("connlife", "load", "tests/kernels/acts")
# Of the standard library what no test imports, and half of it.
LEFT_OUT = ("__pycache__", "test", "lib2to3", "idlelib", "ensurepip", "tkinter", "pydoc_data",
            "turtledemo", "config-*")
PACKAGES_OF_PYTEST = """
import json, os, sys
before = set(sys.modules)
import _pytest.assertion.rewrite, _pytest.junitxml, pytest
print(json.dumps(sorted({
    name.partition(".")[0] for name in set(sys.modules) - before
    if "-packages" in (getattr(sys.modules[name], "__file__", None) or "")})))
print(os.path.dirname(os.path.dirname(os.path.abspath(pytest.__file__))))
"""
ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"


def libraries(program):
    listed = subprocess.run(["ldd", program], text=True, capture_output=True, check=False).stdout
    return re.findall(r"(?:=> |^\t)(/\S+)", listed, re.MULTILINE)


class Tree:
    """A root of files, filled one by one."""

    def __init__(self, root):
        self.root = root
        shutil.rmtree(root, ignore_errors=True)

    def path(self, name):
        path = self.root + "/" + name.lstrip("/")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def put(self, source, name=None):
        target = self.path(name or source)
        if not os.path.lexists(target):
            shutil.copy(source, target)

    def put_program(self, source, name=None):
        self.put(source, name)
        for library in libraries(source):
            self.put(library)

    def put_tree(self, source, name=None, left_out=("__pycache__",)):
        shutil.copytree(source, self.path(name or source), ignore_dangling_symlinks=True,
                        ignore=shutil.ignore_patterns(*left_out))

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def archive(self, path):
        names = subprocess.run(["find", "."], cwd=self.root, text=True, capture_output=True,
                               check=True).stdout
        with open(path, "wb") as out:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=self.root,
                           input=names.encode(), stdout=out, check=True)
        shutil.rmtree(self.root)


def put_busybox(tree):
    tree.put(shutil.which("busybox") or "/bin/busybox", "bin/busybox")
    busybox = tree.path("bin/busybox")
    applets = subprocess.run([busybox, "--list"], text=True, capture_output=True,
                             check=True).stdout.split()
    for applet in applets:
        if not os.path.lexists(tree.path("bin/" + applet)):
            os.symlink("busybox", tree.path("bin/" + applet))


def put_python(tree):
    """The interpreter, its library and pytest, at the same paths."""
    library = sysconfig.get_paths()["stdlib"]
    tree.put_program(os.path.realpath(PYTHON), PYTHON)
    os.symlink(PYTHON, tree.path("bin/python3"))
    tree.put_tree(library, left_out=LEFT_OUT)
    loaded = os.path.join(library, "lib-dynload")
    for name in os.listdir(loaded):
        for one in libraries(os.path.join(loaded, name)):
            tree.put(one)
    said = subprocess.run([PYTHON, "-I", "-c", PACKAGES_OF_PYTEST], text=True, check=True,
                          capture_output=True).stdout
    packages, folder = said.splitlines()
    for package in json.loads(packages):
        path = os.path.join(folder, package)
        if os.path.isdir(path):
            tree.put_tree(path)
        else:
            tree.put(path + ".py")


def make_image(build, path):
    """busybox, connlife, the storm, the checks; Python, pytest and the live tests."""
    tree = Tree(path + ".tree")
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "etc"):
        os.makedirs(os.path.join(tree.root, name))
    for tool in TOOLS:
        tree.put_program(os.path.realpath(shutil.which(tool)), "bin/" + tool)
    tree.put_program("/usr/bin/kmod", "bin/modprobe")
    for program in PROGRAMS:
        tree.put_program(os.path.join(build, program), "bin/" + os.path.basename(program))
    put_busybox(tree)
    put_python(tree)
    tree.put_tree(os.path.join(TESTS, "live"), "tests/live")
    tree.write("etc/passwd", ACCOUNTS)
    tree.write("etc/group", GROUPS)
    for name in ("init", "live"):
        tree.put(os.path.join(HERE, name), name)
    tree.archive(path)


def add_modules(image, kernel, path):
    """The image, and the modules of the unpacked kernel that it needs."""
    tree = Tree(path + ".tree")
    for below in ("usr/lib/modules", "lib/modules"):
        for version in os.listdir(os.path.join(kernel, below)) \
                if os.path.isdir(os.path.join(kernel, below)) else ():
            tree.put_tree(os.path.join(kernel, below, version), "lib/modules/" + version,
                          ["vmlinuz*"])
            subprocess.run(["depmod", "-b", tree.root, version], check=True,
                           stderr=subprocess.DEVNULL)
    tree.archive(path + ".modules")
    with open(path, "wb") as out:
        for part in (image, path + ".modules"):
            with open(part, "rb") as file:
                shutil.copyfileobj(file, out)
    os.remove(path + ".modules")
