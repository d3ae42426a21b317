// What a round can't do without, and nothing else: every node's update reaches every other node.
//
// Usage: bare NODES PARAMETERS FOLDER
//
// A process of one thread for each node, one TLS 1.3 connection with certificates of both sides
// (AES-128-GCM) for each pair. In a round a node writes its own update and each that it receives to
// a file, synchronises and hashes (SHA-256) them, takes the mean, and tells the others; the next
// round begins when all have said so. No signatures, votes, certificates, database, checks or
// limits. Printed, by the first node: the median and the longest of 20 rounds after 5, and a node's
// CPU time in one round, in seconds.

#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { warm_up = 5, measured = 20, nodes_max = 64, read_ahead = 1 << 18, turn = 1 << 20 };

typedef struct {
    SSL *tls;
    int socket;
    size_t sent, received;
    int wants_to_write;
    float *update;
} Peer;

static int nodes, own, folder;
static size_t count, bytes;
static float *mean;
static Peer peers[nodes_max];

static void need(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "bare: %s: ", what);
    perror(NULL);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double cpu(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// One self-signed certificate that all present and all trust.
static SSL_CTX *context(void) {
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"bare", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    need(X509_sign(certificate, key, NULL) > 0, "certificate");

    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    need(SSL_CTX_use_certificate(context, certificate) == 1, "certificate");
    need(SSL_CTX_use_PrivateKey(context, key) == 1, "key");
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, read_ahead);
    SSL_CTX_set_num_tickets(context, 0);
    return context;
}

static int listener(struct sockaddr_in *address) {
    int made = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need(made >= 0 && bind(made, (struct sockaddr *)address, length) == 0, "bind");
    need(listen(made, nodes_max) == 0, "listen");
    need(getsockname(made, (struct sockaddr *)address, &length) == 0, "getsockname");
    return made;
}

static void connect_all(SSL_CTX *context, int listening, const struct sockaddr_in *addresses) {
    for (int index = 0; index < nodes - 1; index++) {
        int calls = index < own, one = 1;
        int made = calls ? socket(AF_INET, SOCK_STREAM, 0) : accept(listening, NULL, NULL);
        need(made >= 0, "socket");
        const struct sockaddr *address = (const struct sockaddr *)&addresses[index];
        if (calls) need(connect(made, address, sizeof *addresses) == 0, "connect");
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        SSL *tls = SSL_new(context);
        SSL_set_fd(tls, made);
        need((calls ? SSL_connect(tls) : SSL_accept(tls)) == 1, "handshake");
        need(SSL_get_verify_result(tls) == X509_V_OK, "verification");
        fcntl(made, F_SETFL, O_NONBLOCK);
        peers[index] = (Peer){.tls = tls, .socket = made, .update = malloc(bytes)};
        need(peers[index].update != NULL, "memory");
    }
}

static void keep(const float *update, int of) {
    char name[16];
    unsigned char digest[EVP_MAX_MD_SIZE];
    snprintf(name, sizeof name, "%d-%d", own, of);
    need(EVP_Digest(update, bytes, digest, NULL, EVP_sha256(), NULL) == 1, "SHA-256");
    unlinkat(folder, name, 0);
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    need(file >= 0, "file");
    for (size_t written = 0; written < bytes;) {
        ssize_t more = write(file, (const char *)update + written, bytes - written);
        need(more > 0, "write");
        written += (size_t)more;
    }
    need(fdatasync(file) == 0, "fdatasync");
    close(file);
}

static void take_mean(const float *update) {
    memcpy(mean, update, bytes);
    for (int index = 0; index < nodes - 1; index++) {
        const float *other = peers[index].update;
        for (size_t at = 0; at < count; at++) mean[at] += other[at];
    }
    float share = 1.0F / (float)nodes;
    for (size_t at = 0; at < count; at++) mean[at] *= share;
}

// Sends up to `end` of what a round sends: the update, and one byte by which it is over.
static void send_some(Peer *peer, const float *update, size_t end) {
    size_t most = peer->sent + turn;
    peer->wants_to_write = 0;
    while (peer->sent < end && peer->sent < most) {
        int is_update = peer->sent < bytes;
        size_t left = is_update ? bytes - peer->sent : 1;
        const char *from = is_update ? (const char *)update + peer->sent : "";
        int written = SSL_write(peer->tls, from, left < 1 << 16 ? (int)left : 1 << 16);
        if (written <= 0) {
            need(SSL_get_error(peer->tls, written) == SSL_ERROR_WANT_WRITE, "SSL_write");
            peer->wants_to_write = 1;
            return;
        }
        peer->sent += (size_t)written;
    }
    peer->wants_to_write = peer->sent < end;
}

static int receive_some(Peer *peer, int index) {
    size_t most = peer->received + turn;
    while (peer->received < bytes + 1 && peer->received < most) {
        char word;
        int is_update = peer->received < bytes;
        char *to = is_update ? (char *)peer->update + peer->received : &word;
        int read = SSL_read(peer->tls, to, is_update ? (int)(bytes - peer->received) : 1);
        if (read <= 0) {
            need(SSL_get_error(peer->tls, read) == SSL_ERROR_WANT_READ, "SSL_read");
            return 0;
        }
        peer->received += (size_t)read;
        if (is_update && peer->received == bytes) keep(peer->update, index);
    }
    return peer->received < bytes + 1;
}

static void run_round(const float *update) {
    int others = nodes - 1, aggregated = 0;
    keep(update, others);
    for (int index = 0; index < others; index++) peers[index].sent = peers[index].received = 0;
    for (;;) {
        int have = 0, done = 0, again = 0;
        for (int index = 0; index < others; index++) {
            again |= receive_some(&peers[index], index);
            have += peers[index].received >= bytes;
        }
        if (have == others && !aggregated) {
            take_mean(update);
            aggregated = 1;
        }
        for (int index = 0; index < others; index++) {
            send_some(&peers[index], update, bytes + (size_t)aggregated);
            done += peers[index].sent == bytes + 1 && peers[index].received == bytes + 1;
        }
        if (done == others) return;
        struct pollfd polls[nodes_max];
        for (int index = 0; index < others; index++) {
            short events = (short)(POLLIN | (peers[index].wants_to_write ? POLLOUT : 0));
            polls[index] = (struct pollfd){.fd = peers[index].socket, .events = events};
        }
        need(poll(polls, (nfds_t)others, again ? 0 : -1) >= 0, "poll");
    }
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void run_node(SSL_CTX *context, int listening, const struct sockaddr_in *addresses) {
    float *update = malloc(bytes);
    double seconds[measured], used = 0;
    mean = malloc(bytes);
    need(update != NULL && mean != NULL, "memory");
    for (size_t at = 0; at < count; at++) update[at] = sinf((float)at + (float)own);
    connect_all(context, listening, addresses);
    for (int round = 0; round < warm_up + measured; round++) {
        if (round == warm_up) used = cpu();
        double start = now();
        update[0] = (float)round;
        run_round(update);
        if (round >= warm_up) seconds[round - warm_up] = now() - start;
    }
    used = (cpu() - used) / measured;
    qsort(seconds, measured, sizeof *seconds, compare);
    double median = (seconds[measured / 2 - 1] + seconds[measured / 2]) / 2;
    if (own == 0) printf("%.3f %.3f %.3f\n", median, seconds[measured - 1], used);
}

int main(int arguments, char **argument) {
    static const char usage[] = "Usage: bare NODES PARAMETERS FOLDER";
    need(arguments == 4, usage);
    nodes = atoi(argument[1]);
    count = strtoul(argument[2], NULL, 10);
    bytes = count * sizeof(float);
    need(nodes >= 2 && nodes <= nodes_max && count > 0 && bytes < INT32_MAX, usage);
    folder = open(argument[3], O_RDONLY | O_DIRECTORY);
    need(folder >= 0, argument[3]);
    SSL_CTX *shared = context();
    struct sockaddr_in addresses[nodes_max];
    int listening[nodes_max], failed = 0, status;
    for (int node = 0; node < nodes; node++) listening[node] = listener(&addresses[node]);
    fflush(stdout);
    for (own = 0; own < nodes; own++) {
        pid_t child = fork();
        need(child >= 0, "fork");
        if (child > 0) continue;
        run_node(shared, listening[own], addresses);
        exit(0);
    }
    while (wait(&status) > 0) failed |= status;
    return failed != 0;
}
