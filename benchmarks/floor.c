/* What the kernel alone costs: the least that any server on sockets can do.
 *
 *   floor answer PORT            a canned answer to every question, recvmmsg and sendmmsg
 *   floor forward PORT UPSTREAM  every question to UPSTREAM:53 from a fresh socket (a fresh
 *                                source port and message ID, RFC 5452), its reply back
 *
 * Neither parses more than a name, nor has a cache, a limit or a time-out. Start several for
 * several workers (SO_REUSEPORT). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 32
#define PACKET 4096
#define SOCKETS 65536

static uint8_t packets[BATCH][PACKET];
static struct mmsghdr messages[BATCH];
static struct iovec vectors[BATCH];
static struct sockaddr_in clients[BATCH];

static int listener(int port) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, big = 1 << 21;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (void *)&a, sizeof a)) { perror("bind"); exit(1); }
    return fd;
}

static int receive(int fd, int flags) {
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){packets[i], PACKET};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &clients[i],
                                              .msg_namelen = sizeof clients[i],
                                              .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    return recvmmsg(fd, messages, BATCH, flags, 0);
}

/* The question becomes its answer, in place: one A record, an hour. */
static size_t answer(uint8_t *m, size_t length) {
    static const uint8_t header[] = {0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0};
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 127, 20, 0, 1};
    size_t p = 12;
    while (p < length && m[p]) p += m[p] + 1;
    p += 5;
    if (p > length || p + sizeof record > PACKET) return 0;
    memcpy(m + 2, header, sizeof header);
    memcpy(m + p, record, sizeof record);
    return p + sizeof record;
}

static void answers(int port) {
    int fd = listener(port);
    for (;;) {
        int n = receive(fd, MSG_WAITFORONE), ready = 0;
        for (int i = 0; i < n; i++) {
            vectors[i].iov_len = answer(packets[i], messages[i].msg_len);
            if (vectors[i].iov_len) messages[ready++] = messages[i];
        }
        for (int gone = 0, r; gone < ready; gone += r)
            if ((r = sendmmsg(fd, messages + gone, ready - gone, 0)) <= 0) break;
    }
}

static void forwards(int port, const char *upstream) {
    static struct { struct sockaddr_in client; uint16_t asked, sent; } open[SOCKETS];
    struct rlimit files = {SOCKETS, SOCKETS};
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, upstream, &to.sin_addr);
    int fd = listener(port), poll_fd = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd}, events[256];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    for (;;) {
        int count = epoll_wait(poll_fd, events, 256, -1);
        for (int j = 0; j < count; j++) {
            int f = events[j].data.fd;
            if (f != fd) {
                ssize_t n = recv(f, packets[0], PACKET, MSG_DONTWAIT);
                if (n < 12 || memcmp(packets[0], &open[f].sent, 2)) continue;
                memcpy(packets[0], &open[f].asked, 2);
                sendto(fd, packets[0], n, 0, (void *)&open[f].client, sizeof to);
                close(f);
                continue;
            }
            int n = receive(fd, MSG_DONTWAIT);
            for (int i = 0; i < n; i++) {
                int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
                if (s < 0 || s >= SOCKETS) { if (s >= 0) close(s); continue; }
                connect(s, (void *)&to, sizeof to);
                open[s].client = clients[i];
                memcpy(&open[s].asked, packets[i], 2);
                if (getrandom(&open[s].sent, 2, 0) != 2) exit(1);
                memcpy(packets[i], &open[s].sent, 2);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = s};
                epoll_ctl(poll_fd, EPOLL_CTL_ADD, s, &event);
                send(s, packets[i], messages[i].msg_len, 0);
            }
        }
    }
}

int main(int count, char **words) {
    if (count == 3 && !strcmp(words[1], "answer")) answers(atoi(words[2]));
    if (count == 4 && !strcmp(words[1], "forward")) forwards(atoi(words[2]), words[3]);
    fprintf(stderr, "floor answer PORT | floor forward PORT UPSTREAM\n");
    return 2;
}
