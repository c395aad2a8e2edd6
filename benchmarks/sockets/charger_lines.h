/*
 * Lines of many chargers in one process, as the senders of the benchmarks need them: connect, log in, send without
 * blocking, and count the answers. Everything is static: each program has its own.
 */
#ifndef CHARGER_LINES_H
#define CHARGER_LINES_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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
    TYPE_AT = 5,
    BODY_AT = 6,
    ENVELOPE_BYTES = 4,
    LOGIN_ANSWER = 0x02,
    LOGIN_RESULT_AT = BODY_AT + 7,
    HEARTBEAT_ANSWER = 0x04,
    RECORD_ANSWER = 0x40,
    RECORD_RESULT_AT = BODY_AT + 16,
    PATIENCE_US = 300000000,
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
    uint8_t frame_type;
    uint8_t watches_output;
};

/* What one read brought. `refusals`: answers that say no. */
struct answers {
    int logins, heartbeats, records, refusals;
    int lost; /* the line is over */
};

/* How long answers took, one entry each. */
struct waits {
    uint32_t *us;
    size_t count, room;
};

static const char *program = "sender";
static struct sockaddr_in server_address, source_address;
static int has_source;
static int poller;

static int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void die(const char *what) {
    fprintf(stderr, "%s: %s: %s\n", program, what, strerror(errno));
    exit(1);
}

/* Where to connect to, and from which address (NULL or "": any); opens what all lines share. */
static void open_lines(const char *host, const char *port, const char *source) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    server_address.sin_family = source_address.sin_family = AF_INET;
    server_address.sin_port = htons(atoi(port));
    if (inet_pton(AF_INET, host, &server_address.sin_addr) != 1) die(host);
    has_source = source != NULL && *source;
    if (has_source && inet_pton(AF_INET, source, &source_address.sin_addr) != 1) die(source);
    poller = epoll_create1(0);
    if (poller < 0) die("epoll_create1");
}

/* A file in memory, read only; `size` gets its length. */
static const uint8_t *mapped(const char *path, size_t *size) {
    int file = open(path, O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about) < 0) die(path);
    const uint8_t *data = mmap(NULL, about.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    if (data == MAP_FAILED) die("mmap");
    close(file);
    *size = about.st_size;
    return data;
}

/* The most memory that this process held; what getrusage tells begins with its parent's. */
static long peak_kib(void) {
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) sscanf(line, "VmHWM: %ld", &kib);
    if (file != NULL) fclose(file);
    return kib;
}

static void note_wait(struct waits *waits, int64_t waited_us) {
    if (waits->count == waits->room) {
        waits->room = waits->room ? 2 * waits->room : 1 << 16;
        waits->us = realloc(waits->us, waits->room * sizeof *waits->us);
        if (waits->us == NULL) die("memory");
    }
    waits->us[waits->count++] = waited_us > UINT32_MAX ? UINT32_MAX : (uint32_t)waited_us;
}

static int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double wait_ms(const struct waits *waits, double part) {
    return waits->count ? waits->us[(size_t)(part * (waits->count - 1))] / 1000.0 : 0;
}

/* `"NAME": {…}` with the percentiles in ms, and how many were not longer than each bound of a histogram. */
static void print_waits(const char *name, struct waits *waits) {
    static const double bounds_ms[] = {0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
    qsort(waits->us, waits->count, sizeof *waits->us, by_size);
    printf("\"%s\": {\"count\": %zu, \"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f, \"within_ms\": {", name,
           waits->count, wait_ms(waits, 0.5), wait_ms(waits, 0.99), wait_ms(waits, 0.999), wait_ms(waits, 1));
    size_t at = 0;
    for (size_t bound = 0; bound < sizeof bounds_ms / sizeof *bounds_ms; bound++) {
        while (at < waits->count && waits->us[at] <= bounds_ms[bound] * 1000) at++;
        printf("%s\"%g\": %zu", bound ? ", " : "", bounds_ms[bound], at);
    }
    printf("}}");
}

/* Interest in output only while the socket refuses: with it always on, level-triggered epoll would spin. */
static void watch(struct connection *connection, int for_output) {
    if (connection->watches_output == for_output) return;
    struct epoll_event event = {.events = EPOLLIN | (for_output ? EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, connection->socket, &event) < 0) die("epoll_ctl");
    connection->watches_output = for_output;
}

static void connect_one(struct connection *connection) {
    int on = 1;
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connection->socket < 0) die("socket");
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (has_source) {
        setsockopt(connection->socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(connection->socket, (struct sockaddr *)&source_address, sizeof source_address) < 0) die("bind");
    }
    if (connect(connection->socket, (struct sockaddr *)&server_address, sizeof server_address) < 0 &&
        errno != EINPROGRESS)
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

/* Take in what has come. */
static struct answers read_answers(struct connection *connection) {
    static uint8_t buffer[READ_BYTES];
    struct answers found = {0};
    ssize_t count = recv(connection->socket, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EAGAIN) return found;
    if (count <= 0) {
        found.lost = 1;
        return found;
    }
    for (ssize_t i = 0; i < count; i++) {
        uint16_t at = connection->frame_at++;
        uint8_t type = connection->frame_type;
        if (at == 1) connection->frame_length = buffer[i] + ENVELOPE_BYTES;
        if (at == TYPE_AT) connection->frame_type = buffer[i];
        if (at > TYPE_AT && buffer[i] &&
            ((type == LOGIN_ANSWER && at == LOGIN_RESULT_AT) || (type == RECORD_ANSWER && at == RECORD_RESULT_AT)))
            found.refusals++;
        if (at > 1 && connection->frame_at == connection->frame_length) {
            found.logins += type == LOGIN_ANSWER;
            found.heartbeats += type == HEARTBEAT_ANSWER;
            found.records += type == RECORD_ANSWER;
            connection->frame_at = connection->frame_length = 0;
        }
    }
    return found;
}

/* The same for chargers that never lose their line and are never refused. */
static struct answers sure_answers(struct connection *connection) {
    struct answers found = read_answers(connection);
    if (found.lost) die("a connection was lost");
    if (found.refusals) die("a login or a record was refused");
    return found;
}

/* One step of a connection that is CONNECTING; LOGGED_IN once the platform has said yes. */
static void go_on_with_login(struct connection *connection, size_t login_bytes, uint32_t events, struct waits *waits) {
    if (events & (EPOLLERR | EPOLLHUP)) die("a connection was refused");
    if (connection->watches_output && events & EPOLLOUT) send_some(connection, connection->traffic, login_bytes);
    if (events & EPOLLIN && sure_answers(connection).logins) {
        connection->state = LOGGED_IN;
        note_wait(waits, now_us() - connection->asked_us);
        connection->asked_us = 0;
    }
}

#endif
