"""Record and replay: real exchanges kept in a zip file, and answered from it again without a key or a network.

A cassette holds, of each exchange, the request's model, prompt and options, digests of the pixels of its pictures and
mask, and the answer: the results' files as they came, or the service's refusal. It holds no key, no address, no
header, no picture that was sent, no `user`, and of `extra_body` only a digest. An answer about the account rather
than the request (HTTP 401, 402, 403, 429, 499), and a request whose outcome is not known, are not recorded.

A request is found again by what was asked, whatever body form it would be sent in: pictures are compared by their
pixels, since files of the same pixels differ between versions of what writes them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
