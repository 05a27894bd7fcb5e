/* spawn-floor.c: what running a program costs at least: posix_spawn, read all that it prints, waitpid.
 *
 *     spawn-floor PROGRAM MILLISECONDS LOOPS     prints how many a second, all loops together
 *
 * The loops are threads. No web server that starts a process for each request can be faster.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *program[2];
static double end;
static unsigned long done[64];

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void run_once(void)
{
    char *environment[] = {"GATEWAY_INTERFACE=CGI/1.1", NULL};
    char buffer[4096];
    posix_spawn_file_actions_t actions;
    int ends[2], status;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC))
        fail("pipe2");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    if (posix_spawn(&child, program[0], &actions, NULL, program, environment))
        fail("posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    while (read(ends[0], buffer, sizeof buffer) > 0)
        ;
    close(ends[0]);
    if (waitpid(child, &status, 0) != child || status)
        fail("waitpid");
}

static void *loop(void *count)
{
    while (now() < end) {
        run_once();
        ++*(unsigned long *)count;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    unsigned long total = 0;
    int loops = argc == 4 ? atoi(argv[3]) : 0;

    if (loops < 1 || loops > 64) {
        fprintf(stderr, "usage: spawn-floor PROGRAM MILLISECONDS LOOPS\n");
        return 2;
    }
    program[0] = argv[1];
    double begin = now();
    end = begin + atof(argv[2]) / 1000;
    for (int i = 0; i < loops; i++)
        if (pthread_create(threads + i, NULL, loop, done + i))
            fail("pthread_create");
    for (int i = 0; i < loops; i++) {
        pthread_join(threads[i], NULL);
        total += done[i];
    }
    printf("%.1f\n", (double)total / (now() - begin));
    return 0;
}
