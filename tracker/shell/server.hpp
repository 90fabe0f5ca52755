#pragma once

#include "protocol/base/result.hpp"
#include "protocol/net/http_server.hpp"
#include "tracker/api/api.hpp"

#include <memory>
#include <string>

namespace ppsp::tracker {

struct ServerOptions {
    Endpoint listen;
    std::string tls_certificate_file; ///< PEM; empty = plain HTTP
    std::string tls_key_file;
    std::string allow_list_file;     ///< empty = any swarm
    std::string membership_key_file; ///< PEM, made if missing; empty = no certificates
    std::size_t connections_max = 10'000;
    std::chrono::milliseconds idle_timeout{60'000};
    std::uint64_t seed = 0; ///< of the choice of peers
    Limits limits;
};

/// The tracker on a socket: HTTP to `Api` and back, and the clock that drives its timers.
class Server {
public:
    /// Begins to serve; the error is a sentence for people.
    [[nodiscard]] static Result<std::unique_ptr<Server>, std::string>
    open(net::any_io_executor executor, ServerOptions const& options);
    ~Server();
    Server(Server const&) = delete;
    Server& operator=(Server const&) = delete;

    /// With the port that the system chose.
    [[nodiscard]] std::string url() const;
    [[nodiscard]] Endpoint local_endpoint() const;
    void stop();

private:
    class State;
    explicit Server(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

} // namespace ppsp::tracker
