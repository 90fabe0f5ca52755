#pragma once

#include "peer/engine/io.hpp"
#include "protocol/net/http.hpp"

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace ppsp::peer {

/// Carries out the engine's fetches: GETs to the caches and CDN servers of a channel, over
/// connections that are kept. Lives on the io_context's thread.
class StorageClient {
public:
    /// Connections to one server; further fetches wait for one, and fail when their time is over.
    static constexpr std::size_t connections_max = 6;

    struct Server {
        net::Url url;
        std::string token; ///< shown as `Authorization: Bearer`; empty = none
    };

    /// `feed` gets one FetchFinished for every fetch, later.
    StorageClient(boost::asio::io_context& context, std::vector<Server> servers,
                  std::function<void(Input const&)> feed);
    ~StorageClient();
    StorageClient(StorageClient const&) = delete;
    StorageClient& operator=(StorageClient const&) = delete;

    void fetch(FetchWanted const& wanted);

private:
    struct Parts;
    std::shared_ptr<Parts> parts_;
};

} // namespace ppsp::peer
