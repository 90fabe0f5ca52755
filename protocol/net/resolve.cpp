#include "protocol/net/resolve.hpp"

#include "protocol/net/address.hpp"

#include <memory>

namespace ppsp::net {
namespace {

using boost::asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

/// A name service that hangs cannot be interrupted, so the waiter leaves and this stays behind
/// until the answer comes.
struct Lookup {
    explicit Lookup(any_io_executor const& executor) : resolver(executor), answered(executor) {}

    tcp::resolver resolver;
    steady_timer answered; ///< cancelled by the answer
    bool is_done = false;
    Endpoints endpoints;
};

void start(std::shared_ptr<Lookup> const& lookup, std::string const& host, std::uint16_t port)
{
    lookup->resolver.async_resolve(
        host, std::to_string(port), tcp::resolver::numeric_service,
        [lookup](boost::system::error_code error, tcp::resolver::results_type const& results) {
            if (!error) {
                for (auto const& entry : results) {
                    lookup->endpoints.push_back(entry.endpoint());
                }
            }
            lookup->is_done = true;
            lookup->answered.cancel();
        });
}

} // namespace

awaitable<Result<Endpoints, HttpError>> resolve(any_io_executor executor, std::string host,
                                                std::uint16_t port,
                                                std::chrono::steady_clock::time_point deadline)
{
    if (auto const literal = Endpoint::parse_address(host, port)) {
        co_return Endpoints{to_asio<tcp::endpoint>(*literal)};
    }
    auto const lookup = std::make_shared<Lookup>(executor);
    lookup->answered.expires_at(deadline);
    start(lookup, host, port);
    co_await lookup->answered.async_wait(use_tuple);
    if (!lookup->is_done) {
        co_return failure(HttpError::timeout);
    }
    if (lookup->endpoints.empty()) {
        co_return failure(HttpError::resolve_failed);
    }
    co_return lookup->endpoints;
}

} // namespace ppsp::net
