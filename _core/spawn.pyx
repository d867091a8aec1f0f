# cython: language_level=3
"""Start a program that dies when this process dies, however it dies (PR_SET_PDEATHSIG); see spawn.h."""
import os

from libc.stdlib cimport calloc, free

cdef extern from "spawn.h" nogil:
    int nv_spawn(char **argv, const int *stdio, const int *keep, int n_keep)


def spawn(argv, stdio, keep=()):
    """Start `argv` (argv[0] an absolute path) with descriptors `stdio` as 0, 1, 2, inheriting the descriptors `keep`.

    Returns the pid, which the caller must wait for. Raises OSError. The calling thread's end kills the child (on Linux),
    so call this from one that lives as long as the process.
    """
    cdef int c_stdio[3]
    cdef int *c_keep
    cdef int n = len(keep), i, pid
    cdef char **c_argv
    words = [os.fsencode(word) for word in argv]
    for i in range(3):
        c_stdio[i] = stdio[i]
    c_argv = <char **>calloc(len(words) + 1, sizeof(char *))
    c_keep = <int *>calloc(n + 1, sizeof(int))
    try:
        if c_argv == NULL or c_keep == NULL:
            raise MemoryError()
        for i in range(n):
            c_keep[i] = keep[i]
        for i in range(<int>len(words)):
            c_argv[i] = <char *><bytes>words[i]
        with nogil:
            pid = nv_spawn(c_argv, c_stdio, c_keep, n)
    finally:
        free(c_argv)
        free(c_keep)
    if pid < 0:
        raise OSError(-pid, os.strerror(-pid), argv[0])
    return pid
