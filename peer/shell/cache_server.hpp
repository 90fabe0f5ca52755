#pragma once

#include "peer/shell/cache_host.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/integrity/private_key.hpp"

#include <filesystem>

namespace ppsp::peer {

struct CacheServerOptions {
    Endpoint listen; ///< port 0 = any free one
    std::filesystem::path folder;
    std::optional<std::uint64_t> upload_bps; ///< for all clients together
    std::size_t connections_max = 10'000;
    CacheTimeouts timeouts;
    CacheOptions cache; ///< an empty `url` becomes the address that is listened on
};

/// A cache that listens. One thread: that of the context.
class CacheServer {
public:
    /// Opens the folder, then the port. The error is a sentence.
    [[nodiscard]] static Result<std::unique_ptr<CacheServer>, std::string>
    open(net::io_context& context, CacheServerOptions options, integrity::PrivateKey const& key);
    ~CacheServer();
    CacheServer(CacheServer const&) = delete;
    CacheServer& operator=(CacheServer const&) = delete;

    /// `http://ADDRESS:PORT` with the real port.
    [[nodiscard]] std::string url() const;
    /// Stops accepting and ends all connections; the context then runs out of work.
    void stop();
    /// One line of `--stats-json`.
    [[nodiscard]] std::string statistics(bool is_final) const;

private:
    class State;
    explicit CacheServer(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace ppsp::peer
