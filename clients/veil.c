#include "veil.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL *ssl_of(struct veil *veil)
{
	return (SSL *)(void *)veil;
}

struct veil *veil_open(int fd, int newest)
{
	static SSL_CTX *context;
	SSL *ssl;

	if (!context)
		context = SSL_CTX_new(TLS_client_method());
	ssl = context ? SSL_new(context) : NULL;
	if (!ssl || SSL_set_fd(ssl, fd) != 1 ||
	    (newest == 12 && SSL_set_max_proto_version(ssl, TLS1_2_VERSION) != 1)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_set_connect_state(ssl);
	return (struct veil *)(void *)ssl;
}

void veil_close(struct veil *veil)
{
	if (veil)
		SSL_free(ssl_of(veil));
}

/* What went wrong, as recv() would say it. */
static int error_of(struct veil *veil, int went)
{
	switch (SSL_get_error(ssl_of(veil), went)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return EAGAIN;
	case SSL_ERROR_ZERO_RETURN: return 0;
	case SSL_ERROR_SYSCALL: return errno ? errno : ECONNRESET;
	default: return EBADMSG;
	}
}

int veil_shake(struct veil *veil)
{
	int went, error;

	ERR_clear_error();
	errno = 0;
	went = SSL_do_handshake(ssl_of(veil));
	if (went == 1)
		return 1;
	error = error_of(veil, went);
	return error == EAGAIN ? 0 : error ? -error : -ECONNABORTED;
}

static ssize_t result_of(struct veil *veil, int went)
{
	if (went > 0)
		return went;
	errno = error_of(veil, went);
	return errno ? -1 : 0;
}

ssize_t veil_read(struct veil *veil, void *buf, size_t size)
{
	ERR_clear_error();
	errno = 0;
	return result_of(veil, SSL_read(ssl_of(veil), buf, (int)size));
}

ssize_t veil_write(struct veil *veil, const void *buf, size_t size)
{
	ERR_clear_error();
	errno = 0;
	return result_of(veil, SSL_write(ssl_of(veil), buf, (int)size));
}

bool veil_has(struct veil *veil)
{
	return SSL_has_pending(ssl_of(veil));
}
