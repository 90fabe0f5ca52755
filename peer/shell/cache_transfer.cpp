#include "peer/shell/cache_transfer.hpp"

#include "protocol/net/http_client.hpp"

namespace ppsp::peer {
namespace {

net::HttpClientOptions client_options(CacheOptions const& options)
{
    net::HttpClientOptions client;
    client.timeout = std::chrono::seconds{30};
    client.response_size_max = options.object_bytes_max;
    client.user_agent = "ppsp-cache";
    return client;
}

std::vector<net::HttpHeader> headers_for(Transfer const& transfer)
{
    std::vector<net::HttpHeader> headers;
    if (!transfer.remote_token.empty()) {
        headers.push_back({"Authorization", "Bearer " + transfer.remote_token});
    }
    return headers;
}

CacheReply remote_failed(net::HttpError error)
{
    return Cache::refuse(error == net::HttpError::timeout ? 504 : 502,
                         "the other server: " + std::string(to_text(error)));
}

CacheReply remote_refused(unsigned status)
{
    auto const text = std::to_string(status);
    return Cache::refuse(502, "the other server answered " + text);
}

net::awaitable<CacheReply> fetch(std::shared_ptr<CacheHost> host, Transfer transfer)
{
    net::HttpClient client(host->context().get_executor(), transfer.remote,
                           client_options(host->cache().options()));
    net::HttpCall call;
    call.target = transfer.name.path();
    call.headers = headers_for(transfer);
    auto response = co_await client.call(std::move(call));
    if (!response) {
        co_return remote_failed(response.error());
    }
    if (response->status != 200) {
        co_return remote_refused(response->status);
    }
    Upload upload;
    upload.name = transfer.name;
    upload.media_type = "application/octet-stream";
    upload.expires = transfer.expires;
    upload.lease = transfer.lease;
    auto reply = co_await take_upload(host, std::move(upload), std::move(response->body));
    if (reply.status == 409) {
        reply = Cache::refuse(502, "the other server gave bytes that do not match the name");
    }
    co_return reply;
}

net::awaitable<CacheReply> store(std::shared_ptr<CacheHost> host, Transfer transfer)
{
    auto const object = transfer.object;
    auto bytes =
        co_await host->on_disk<std::optional<ByteVector>>([object] { return object->read_all(); });
    if (!bytes) {
        co_return Cache::refuse(500, "the object could not be read");
    }
    if (!transfer.lease->account().may_transfer(bytes->size())) {
        co_return Cache::refuse(429, "the token's bytes are used up");
    }
    transfer.lease->account().bytes_used += bytes->size();
    net::HttpClient client(host->context().get_executor(), transfer.remote,
                           client_options(host->cache().options()));
    net::HttpCall call;
    call.method = "PUT";
    call.target = transfer.name.path();
    call.headers = headers_for(transfer);
    auto const ttl = std::max<UnixSeconds>(transfer.expires - host->now_s(), 1);
    call.headers.push_back({"Decade-Expires", std::to_string(ttl)});
    call.body.assign(bytes->begin(), bytes->end());
    auto const response = co_await client.call(std::move(call));
    if (!response) {
        co_return remote_failed(response.error());
    }
    if (response->status != 200 && response->status != 201) {
        co_return remote_refused(response->status);
    }
    CacheReply reply;
    reply.status = 200;
    reply.body = R"({"object":")" + transfer.name.uri() + "\"}\n";
    co_return reply;
}

} // namespace

net::awaitable<CacheReply> take_upload(std::shared_ptr<CacheHost> host, Upload upload,
                                       std::string body)
{
    auto const bytes = std::make_shared<std::string const>(std::move(body));
    auto const shared = std::make_shared<Upload const>(std::move(upload));
    auto const facts = co_await host->on_disk<UploadFacts>(
        [bytes, shared] { return Cache::inspect(*shared, as_bytes(*bytes)); });
    auto& cache = host->cache();
    if (shared->kind == Upload::Kind::index) {
        co_return cache.finish_index(*shared, facts, *bytes);
    }
    auto const meta = cache.admit(*shared, facts, bytes->size(), host->now_s());
    if (!meta) {
        co_return meta.error();
    }
    auto* const files = &cache.files();
    auto const object = *meta;
    auto const written = co_await host->on_disk<Result<void, StoreError>>(
        [files, bytes, object] { return files->write(object, as_bytes(*bytes)); });
    co_return cache.finish(*meta, written, host->now_s());
}

net::awaitable<CacheReply> carry_out(std::shared_ptr<CacheHost> host, Upload order,
                                     std::string body)
{
    auto begun = host->cache().begin_transfer(order, body, host->now_s());
    if (auto* reply = std::get_if<CacheReply>(&begun)) {
        co_return std::move(*reply);
    }
    auto transfer = std::get<Transfer>(std::move(begun));
    if (transfer.kind == Transfer::Kind::fetch) {
        co_return co_await fetch(host, std::move(transfer));
    }
    co_return co_await store(host, std::move(transfer));
}

} // namespace ppsp::peer
