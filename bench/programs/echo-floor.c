/* echo-floor.c: what an answer over HTTP costs at least: epoll, recv, send, and nothing understood.
 *
 *     echo-floor PORT FILE THREADS     answers each request at 127.0.0.1:PORT with the bytes of FILE
 *
 * A request is whatever ends with an empty line; FILE holds a whole response, head and content. The first
 * thread accepts and deals the connections out, so that all have as many. It runs until it is killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 64 /* requests that are answered with one send */

static char answers[MOST * 4096];
static size_t answer_length;
static int polls[64];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void serve(int client)
{
    char buffer[65536];
    ssize_t got = recv(client, buffer, sizeof buffer - 1, 0);
    size_t count = 0;

    if (got <= 0) {
        close(client);
        return;
    }
    buffer[got] = 0;
    for (char *end = buffer; (end = strstr(end, "\r\n\r\n")) && count < MOST; end += 4)
        count++;
    if (send(client, answers, count * answer_length, MSG_NOSIGNAL) < 0)
        close(client);
}

static void *loop(void *poll)
{
    struct epoll_event events[64];

    for (;;) {
        int ready = epoll_wait(*(int *)poll, events, 64, -1);
        for (int i = 0; i < ready; i++)
            serve(events[i].data.fd);
    }
    return NULL;
}

static int listen_at(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024))
        fail("bind or listen");
    return listener;
}

static void read_answer(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (!file)
        fail(path);
    answer_length = fread(answers, 1, 4096, file);
    fclose(file);
    for (int i = 1; i < MOST; i++)
        memcpy(answers + (size_t)i * answer_length, answers, answer_length);
}

int main(int argc, char **argv)
{
    int threads = argc == 4 ? atoi(argv[3]) : 0, on = 1;
    pthread_t thread;

    if (threads < 1 || threads > 64) {
        fprintf(stderr, "usage: echo-floor PORT FILE THREADS\n");
        return 2;
    }
    read_answer(argv[2]);
    for (int i = 0; i < threads; i++) {
        polls[i] = epoll_create1(EPOLL_CLOEXEC);
        if (polls[i] < 0 || pthread_create(&thread, NULL, loop, polls + i))
            fail("epoll_create1 or pthread_create");
    }
    int listener = listen_at(argv[1]);
    for (int next = 0;; next = (next + 1) % threads) {
        struct epoll_event event = {.events = EPOLLIN};
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0)
            continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        event.data.fd = client;
        if (epoll_ctl(polls[next], EPOLL_CTL_ADD, client, &event))
            fail("epoll_ctl");
    }
}
