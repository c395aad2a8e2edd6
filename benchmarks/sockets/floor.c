/*
 * The least that a server can do: what the socket benchmarks hold the gateway against.
 *
 *   floor bulk FILE LOGIN TOTAL     read the bytes of all connections and write them to FILE as they come; after TOTAL bytes
 *                                   of a connection (LOGIN of them its login), answer with a record's acknowledgement
 *   floor segments FILE LOGIN TOTAL read, and answer each read with a heartbeat's acknowledgement; FILE is not written
 *
 * One thread, one epoll, one buffer; nothing is looked at, nothing checked, nothing decoded. Prints its port. The
 * segment of 17 bytes is taken for a heartbeat, as probes send it in bulk.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, BUFFER_BYTES = 65536, ANSWER_BYTES = 17, MOST_SOCKETS = 65536, BACKLOG = 4096 };

static const uint8_t LOGIN_ANSWER[ANSWER_BYTES] = {0x68, 13, 0, 0, 0, 0x02};
static const uint8_t HEARTBEAT_ANSWER[ANSWER_BYTES] = {0x68, 13, 0, 0, 0, 0x04};
static const uint8_t RECORD_ANSWER[ANSWER_BYTES] = {0x68, 13, 0, 0, 0, 0x40};

static uint64_t received[MOST_SOCKETS];
static uint8_t buffer[BUFFER_BYTES];

static void die(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void answer(int socket, const uint8_t *frame) {
    if (send(socket, frame, ANSWER_BYTES, MSG_NOSIGNAL) != ANSWER_BYTES && errno != EPIPE && errno != ECONNRESET)
        die("send");
}

static void accept_all(int listener, int poller) {
    int socket, on = 1;
    while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (socket >= MOST_SOCKETS) die("too many sockets");
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        received[socket] = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event) < 0) die("epoll_ctl");
    }
    if (errno != EAGAIN) die("accept");
}

static void take(int socket, int is_bulk, int file, uint64_t login, uint64_t total) {
    ssize_t count = recv(socket, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        close(socket);
        return;
    }
    uint64_t before = received[socket];
    received[socket] += count;
    if (is_bulk && write(file, buffer, count) != count) die("write");
    if (before < login) {
        if (received[socket] >= login) answer(socket, LOGIN_ANSWER);
    } else if (is_bulk && received[socket] == total) {
        answer(socket, RECORD_ANSWER);
    } else if (!is_bulk || count == ANSWER_BYTES) {
        answer(socket, HEARTBEAT_ANSWER);
    }
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: floor bulk|segments FILE LOGIN TOTAL\n");
        return 2;
    }
    int is_bulk = !strcmp(argv[1], "bulk");
    uint64_t login = strtoull(argv[3], NULL, 10), total = strtoull(argv[4], NULL, 10);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644), on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (file < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, BACKLOG) < 0)
        die("starting");
    getsockname(listener, (struct sockaddr *)&address, &size);
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, poller);
            else
                take(events[i].data.fd, is_bulk, file, login, total);
        }
    }
}
