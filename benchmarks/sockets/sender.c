/*
 * The charging side of the socket benchmarks: many connections of one process, epoll, frames encoded beforehand.
 *
 *   sender HOST PORT bulk TRAFFIC CONNECTIONS LOGIN BODY TAIL PROBES
 *   sender HOST PORT segments TRAFFIC CONNECTIONS LOGIN BODY TAIL SECONDS
 *   sender HOST PORT storm TRAFFIC CONNECTIONS LOGIN BODY TAIL FIRST
 *
 * TRAFFIC holds, for each connection, LOGIN + BODY + TAIL bytes, one after the other. All connect and log in first; then
 * "ready" is printed, and a line on stdin begins what is measured.
 *   bulk:     each connection sends its BODY as fast as the socket takes it, then TAIL, a record, and is done when the
 *             record is acknowledged. Meanwhile PROBES connections (behind the others in TRAFFIC, BODY bytes too, of
 *             which the first HEARTBEAT_BYTES are a heartbeat) connect, log in and send a heartbeat every 100 ms: what
 *             they wait is what a charger waits while others flood.
 *   segments: each connection has one heartbeat (the first HEARTBEAT_BYTES of BODY) under way; the next leaves when its
 *             answer has come.
 *   storm:    "ready" comes before anybody connects. Then all do at once, log in, send BODY and TAIL, and are done when the
 *             record is acknowledged; what each waited from its first attempt to that is told. FIRST connections of
 *             TRAFFIC belong to other processes.
 * The result is one line of JSON on stdout. Exit 1 with a message when a connection is lost.
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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 1024,
    READ_BYTES = 65536,
    SEND_BYTES = 262144,
    CONNECTING_AT_ONCE = 256,
    HEARTBEAT_BYTES = 17,
    TYPE_AT = 5,
    ENVELOPE_BYTES = 4,
    LOGIN_ANSWER = 0x02,
    HEARTBEAT_ANSWER = 0x04,
    RECORD_ANSWER = 0x40,
    PROBE_EVERY_US = 100000,
    PATIENCE_US = 120000000,
};

enum state { CLOSED, CONNECTING, LOGGED_IN, SENDING, WAITING, DONE };

struct connection {
    int socket;
    enum state state;
    const uint8_t *traffic;
    size_t sent;           /* of what this state sends */
    int64_t asked_us;      /* when it began to wait for an answer, 0 = it does not */
    uint16_t frame_at;     /* bytes of the answer frame under way that have come */
    uint16_t frame_length; /* 0 while its length byte is not known */
    uint8_t writable;
    uint8_t watches_output;
};

static const char *host;
static int port;
static const uint8_t *traffic;
static size_t login_bytes, body_bytes, tail_bytes;
static int poller;
static struct connection *connections;
static uint32_t *waits_us; /* of every answer */
static size_t waits, waits_room;

static int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void die(const char *what) {
    fprintf(stderr, "sender: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void note_wait(int64_t waited_us) {
    if (waits == waits_room) {
        waits_room = waits_room ? 2 * waits_room : 1 << 20;
        waits_us = realloc(waits_us, waits_room * sizeof *waits_us);
        if (waits_us == NULL) die("memory");
    }
    waits_us[waits++] = waited_us > UINT32_MAX ? UINT32_MAX : (uint32_t)waited_us;
}

/* Interest in output only while the socket refuses: with it always on, level-triggered epoll would spin. */
static void watch(struct connection *connection, int for_output) {
    if (connection->watches_output == for_output) return;
    struct epoll_event event = {.events = EPOLLIN | (for_output ? EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, connection->socket, &event) < 0) die("epoll_ctl");
    connection->watches_output = for_output;
}

static void connect_one(struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    inet_pton(AF_INET, host, &address.sin_addr);
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connection->socket < 0) die("socket");
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
        die("connect");
    connection->state = CONNECTING;
    connection->sent = 0;
    connection->frame_at = connection->frame_length = 0;
    connection->asked_us = now_us();
    connection->watches_output = 1;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->socket, &event) < 0) die("epoll_ctl");
}

/* Send `total` bytes from `data`, going on where it stopped; gives whether all have left. */
static int send_some(struct connection *connection, const uint8_t *data, size_t total) {
    size_t budget = SEND_BYTES; /* then the others have their turn */
    while (connection->sent < total && budget > 0) {
        size_t length = total - connection->sent < budget ? total - connection->sent : budget;
        ssize_t count = send(connection->socket, data + connection->sent, length, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) break;
        if (count < 0) die("send");
        connection->sent += count;
        budget -= count;
    }
    watch(connection, connection->sent < total);
    return connection->sent == total;
}

static void send_heartbeat(struct connection *connection, int64_t at_us) {
    connection->sent = 0;
    connection->asked_us = at_us;
    if (!send_some(connection, connection->traffic + login_bytes, HEARTBEAT_BYTES)) die("a heartbeat found no room");
}

/* Walk through the answers that came; gives how many had the type that is waited for. */
static int answers(struct connection *connection, uint8_t wanted) {
    static uint8_t buffer[READ_BYTES];
    int found = 0;
    ssize_t count = recv(connection->socket, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EAGAIN) return 0;
    if (count <= 0) die("a connection was lost");
    for (ssize_t at = 0; at < count;) {
        if (connection->frame_at == 1) connection->frame_length = buffer[at] + ENVELOPE_BYTES;
        if (connection->frame_at == TYPE_AT && buffer[at] == wanted) found++;
        if (connection->frame_at > TYPE_AT) {
            ssize_t left = connection->frame_length - connection->frame_at;
            ssize_t step = left < count - at ? left : count - at;
            connection->frame_at += step;
            at += step;
        } else {
            connection->frame_at++;
            at++;
        }
        if (connection->frame_length && connection->frame_at == connection->frame_length)
            connection->frame_at = connection->frame_length = 0;
    }
    return found;
}

static void go_on_with_login(struct connection *connection, uint32_t events) {
    if (events & (EPOLLERR | EPOLLHUP)) die("a connection was refused");
    if (connection->watches_output && events & EPOLLOUT) send_some(connection, connection->traffic, login_bytes);
    if (events & EPOLLIN && answers(connection, LOGIN_ANSWER)) {
        connection->state = LOGGED_IN;
        note_wait(now_us() - connection->asked_us);
        connection->asked_us = 0;
    }
}

static void log_all_in(int count) {
    int begun = 0, in = 0;
    struct epoll_event events[EVENTS];
    int64_t until_us = now_us() + PATIENCE_US;
    while (in < count) {
        while (begun < count && begun - in < CONNECTING_AT_ONCE) connect_one(&connections[begun++]);
        int ready = epoll_wait(poller, events, EVENTS, 1000);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->state == CONNECTING) {
                go_on_with_login(connection, events[i].events);
                in += connection->state == LOGGED_IN;
            } else {
                answers(connection, 0);
            }
        }
        if (now_us() > until_us) die("not all could log in");
    }
}

static int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double wait_ms(double part) {
    return waits ? waits_us[(size_t)(part * (waits - 1))] / 1000.0 : 0;
}

static void print_result(double seconds, uint64_t bytes) {
    qsort(waits_us, waits, sizeof *waits_us, by_size);
    printf("{\"seconds\": %.6f, \"bytes\": %llu, \"answers\": %zu, \"wait_ms\": "
           "{\"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}}\n",
           seconds, (unsigned long long)bytes, waits, wait_ms(0.5), wait_ms(0.99),
           wait_ms(1));
}

static void go_on_with_bulk(struct connection *connection, uint32_t events, int *left) {
    if (connection->state == SENDING &&
        send_some(connection, connection->traffic + login_bytes, body_bytes + tail_bytes))
        connection->state = WAITING;
    if (events & EPOLLIN && answers(connection, RECORD_ANSWER)) {
        connection->state = DONE;
        --*left;
    }
}

static void go_on_with_probe(struct connection *probe, uint32_t events, int64_t at_us) {
    if (probe->state == CONNECTING) {
        go_on_with_login(probe, events);
        if (probe->state == LOGGED_IN) send_heartbeat(probe, at_us);
    } else if (events & EPOLLIN && answers(probe, HEARTBEAT_ANSWER)) {
        note_wait(at_us - probe->asked_us);
        probe->asked_us = 0;
    }
}

static void bulk(int count, int probes) {
    int left = count, probes_begun = 0;
    struct epoll_event events[EVENTS];
    waits = 0; /* from here on only what the probes wait */
    int64_t begin_us = now_us(), next_probe_us = begin_us, done_us;
    for (int i = 0; i < count; i++) {
        connections[i].state = SENDING;
        connections[i].sent = 0;
        watch(&connections[i], 1);
    }
    while (left > 0) {
        int ready = epoll_wait(poller, events, EVENTS, 10);
        int64_t at_us = now_us();
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection - connections < count)
                go_on_with_bulk(connection, events[i].events, &left);
            else
                go_on_with_probe(connection, events[i].events, at_us);
        }
        if (probes && at_us >= next_probe_us) {
            next_probe_us = at_us + PROBE_EVERY_US;
            if (probes_begun < probes) connect_one(&connections[count + probes_begun++]);
            for (int i = 0; i < probes_begun; i++) {
                struct connection *probe = &connections[count + i];
                if (probe->state == LOGGED_IN && !probe->asked_us) send_heartbeat(probe, at_us);
            }
        }
        if (at_us - begin_us > PATIENCE_US) die("not every record was acknowledged");
    }
    done_us = now_us();
    for (int i = 0; i < probes_begun; i++) /* what still waits has waited so long already */
        if (connections[count + i].asked_us) note_wait(done_us - connections[count + i].asked_us);
    print_result((done_us - begin_us) / 1e6, (uint64_t)count * (body_bytes + tail_bytes));
}

static void go_on_with_storm(struct connection *connection, uint32_t events, int *left, int64_t at_us) {
    if (connection->state == CONNECTING) {
        int64_t began_us = connection->asked_us;
        go_on_with_login(connection, events);
        if (connection->state != LOGGED_IN) return;
        waits--; /* the login is a part of what is waited for, no wait of its own */
        connection->asked_us = began_us;
        connection->state = SENDING;
        connection->sent = 0;
    }
    if (connection->state == SENDING &&
        send_some(connection, connection->traffic + login_bytes, body_bytes + tail_bytes))
        connection->state = WAITING;
    if (events & EPOLLIN && answers(connection, RECORD_ANSWER)) {
        connection->state = DONE;
        note_wait(at_us - connection->asked_us);
        --*left;
    }
}

static void storm(int count) {
    int left = count;
    struct epoll_event events[EVENTS];
    int64_t begin_us = now_us(), at_us = begin_us;
    for (int i = 0; i < count; i++) connect_one(&connections[i]);
    while (left > 0) {
        int ready = epoll_wait(poller, events, EVENTS, 10);
        at_us = now_us();
        for (int i = 0; i < ready; i++) go_on_with_storm(events[i].data.ptr, events[i].events, &left, at_us);
        if (at_us - begin_us > PATIENCE_US) die("not every record was acknowledged");
    }
    print_result((at_us - begin_us) / 1e6, (uint64_t)count * (login_bytes + body_bytes + tail_bytes));
}

static void segments(int count, double seconds) {
    struct epoll_event events[EVENTS];
    waits = 0;
    int64_t begin_us = now_us(), end_us = begin_us + (int64_t)(seconds * 1e6), at_us = begin_us;
    for (int i = 0; i < count; i++) send_heartbeat(&connections[i], begin_us);
    while (at_us < end_us) {
        int ready = epoll_wait(poller, events, EVENTS, 10);
        at_us = now_us();
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!answers(connection, HEARTBEAT_ANSWER)) continue;
            note_wait(at_us - connection->asked_us);
            send_heartbeat(connection, at_us);
        }
    }
    print_result((at_us - begin_us) / 1e6, (uint64_t)waits * HEARTBEAT_BYTES);
}

int main(int argc, char **argv) {
    if (argc != 10) {
        fprintf(stderr, "usage: sender HOST PORT bulk|segments|storm TRAFFIC CONNECTIONS LOGIN BODY TAIL PROBES|SECONDS|FIRST\n");
        return 2;
    }
    host = argv[1];
    port = atoi(argv[2]);
    int is_bulk = !strcmp(argv[3], "bulk"), is_storm = !strcmp(argv[3], "storm"), count = atoi(argv[5]);
    int probes = is_bulk ? atoi(argv[9]) : 0, first = is_storm ? atoi(argv[9]) : 0;
    login_bytes = strtoull(argv[6], NULL, 10);
    body_bytes = strtoull(argv[7], NULL, 10);
    tail_bytes = strtoull(argv[8], NULL, 10);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    size_t each = login_bytes + body_bytes + tail_bytes;
    int file = open(argv[4], O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about) < 0) die(argv[4]);
    if ((size_t)about.st_size < (first + count + probes) * each) die("the traffic is too short");
    traffic = mmap(NULL, about.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    if (traffic == MAP_FAILED) die("mmap");
    poller = epoll_create1(0);
    connections = calloc(count + probes, sizeof *connections);
    if (poller < 0 || connections == NULL) die("setting up");
    for (int i = 0; i < count + probes; i++) connections[i].traffic = traffic + (first + i) * each;
    if (!is_storm) log_all_in(count);
    printf("ready\n");
    fflush(stdout);
    char line[16];
    if (fgets(line, sizeof line, stdin) == NULL) die("nobody said when to begin");
    if (is_bulk)
        bulk(count, probes);
    else if (is_storm)
        storm(count);
    else
        segments(count, atof(argv[9]));
    return 0;
}
