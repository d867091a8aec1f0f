/* Start a child that dies with the process that started it, without running Python between fork and exec: other threads
 * may hold any lock at that moment. The caller must be a thread that lives as long as the process, because Linux sends
 * the parent-death signal when the *thread* that forked ends. */
#ifndef NVLAB_SPAWN_H
#define NVLAB_SPAWN_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

/* In the child. Memory is shared with the parent until exec, so only system calls and locals; returns on failure. */
static void nv_become(char **argv, const int *stdio, const int *keep, int n_keep, pid_t parent, const sigset_t *mask)
{
    int i;
    signal(SIGPIPE, SIG_DFL);
    setsid();                                  /* a Ctrl-C in the terminal is ours, not the child's */
#ifdef __linux__
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return;
    if (getppid() != parent) _exit(127);       /* died before the line above: no signal will come */
#ifdef SYS_close_range
    syscall(SYS_close_range, 3u, ~0u, 4u);     /* 4: set close-on-exec; an old kernel refuses, and Python's are set anyway */
#endif
#else
    (void)parent;
#endif
    for (i = 0; i < 3; i++)
        if (dup2(stdio[i], i) < 0) return;
    for (i = 0; i < n_keep; i++)
        if (fcntl(keep[i], F_SETFD, 0) < 0) return;
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv(argv[0], argv);
}

/* Returns the child's pid, or -errno. `stdio` are the child's descriptors 0-2 (each above 2 here), `keep` those it inherits. */
static pid_t nv_spawn(char **argv, const int *stdio, const int *keep, int n_keep)
{
    sigset_t all, old;
    volatile int failure = 0;
    pid_t pid, parent = getpid();
    sigfillset(&all);
    if (pthread_sigmask(SIG_BLOCK, &all, &old)) return -EINVAL;    /* no handler of ours runs in the shared memory */
    pid = vfork();
    if (pid == 0) {
        nv_become(argv, stdio, keep, n_keep, parent, &old);
        failure = errno;
        _exit(127);
    }
    if (pid < 0) failure = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failure && pid > 0) {
        int status;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    }
    return failure ? -failure : pid;
}

#endif
