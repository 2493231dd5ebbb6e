"""The peer's certificate on its way from the TLS connection to the application."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CertificateProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which also puts the peer's certificate (DER) into the ASGI scope."""

    def on_message_begin(self) -> None:
        """Begin a request's scope and add ``extensions.tls.client_certificate``."""
        super().on_message_begin()
        tls = self.transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        if certificate is not None:
            extensions = dict(self.scope.get("extensions") or {})
            extensions["tls"] = {"client_certificate": certificate}
            self.scope["extensions"] = extensions
