#include "peer/shell/publisher.hpp"

#include "peer/decade/cdn_folder.hpp"
#include "peer/shell/signals.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "protocol/net/http_client.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <deque>
#include <future>

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Seconds that a cache keeps a live object: discard window and 30 s.
constexpr auto expires_s = "90";
constexpr std::chrono::milliseconds request_timeout{4000};
constexpr std::chrono::seconds retry_pause{2};
/// Objects that go to a server that takes another one's place: two seconds, as far as viewers with
/// storage behind their peers are behind live at most.
constexpr std::size_t recent_max = 4;

UnixMicros unix_now()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// What is published at a time; the same for all destinations.
struct Issue {
    CollectedObject object;
    std::string index_text;
};
using IssuePtr = std::shared_ptr<Issue const>;

std::string text_of(net::Url const& url)
{
    return (url.is_https ? "https://" : "http://") + url.host + ":" + std::to_string(url.port);
}

net::HttpClientOptions client_options()
{
    net::HttpClientOptions options;
    options.timeout = request_timeout;
    options.user_agent = "ppsp-broadcast";
    return options;
}

/// One server, or several of which the nearest that answers is used. Issues wait here while it is
/// slow; the oldest is lost first.
class Destination {
public:
    Destination(net::io_context& context, std::vector<net::Url> servers, bool is_cache,
                std::string token, ByteVector swarm_id,
                std::function<void(std::string const&)> on_message)
        : context_(context), servers_(std::move(servers)), is_cache_(is_cache),
          token_(std::move(token)), swarm_id_(std::move(swarm_id)),
          on_message_(std::move(on_message)), wake_(context)
    {}

    void add(IssuePtr issue)
    {
        waiting_.push_back(std::move(issue));
        if (waiting_.size() > Publisher::waiting_max) {
            waiting_.pop_front();
        }
        wake_.cancel();
    }
    void finish()
    {
        is_finishing_ = true;
        wake_.cancel();
    }

    static net::awaitable<void> run(std::shared_ptr<Destination> self)
    {
        co_await self->sort_by_distance();
        while (true) {
            if (self->waiting_.empty()) {
                if (self->is_finishing_) {
                    break;
                }
                self->wake_.expires_at(SteadyClock::time_point::max());
                co_await self->wake_.async_wait(net::use_tuple);
                continue;
            }
            auto const issue = self->waiting_.front();
            self->waiting_.pop_front();
            auto problem = co_await self->publish(issue);
            self->tell(problem);
            // Another server may take what this one did not.
            for (std::size_t i = 1; i < self->servers_.size() && !problem.empty(); ++i) {
                self->use_next_server();
                problem = co_await self->publish(issue);
                self->tell(problem);
            }
            if (!problem.empty() && !self->is_finishing_) {
                self->use_next_server();
                net::steady_timer pause(self->context_, retry_pause);
                co_await pause.async_wait(net::use_tuple);
            }
        }
    }

private:
    /// The nearest is the one that answers first; who does not answer is the farthest.
    net::awaitable<void> sort_by_distance()
    {
        if (servers_.size() > 1) {
            std::vector<std::pair<SteadyClock::duration, net::Url>> measured;
            for (auto const& server : servers_) {
                net::HttpClient client(context_.get_executor(), server, client_options());
                static_cast<void>(co_await client.get("/healthz")); // makes the connection
                auto const began = SteadyClock::now();
                auto const answer = co_await client.get("/healthz");
                measured.emplace_back(
                    answer ? SteadyClock::now() - began : SteadyClock::duration::max(), server);
            }
            std::sort(measured.begin(), measured.end(),
                      [](auto const& a, auto const& b) { return a.first < b.first; });
            for (std::size_t i = 0; i < measured.size(); ++i) {
                servers_[i] = measured[i].second;
            }
        }
        client_ = std::make_unique<net::HttpClient>(context_.get_executor(), servers_.front(),
                                                    client_options());
    }

    void use_next_server()
    {
        lacks_recent_ = servers_.size() > 1;
        std::rotate(servers_.begin(), servers_.begin() + 1, servers_.end());
        client_ = std::make_unique<net::HttpClient>(context_.get_executor(), servers_.front(),
                                                    client_options());
    }

    /// Empty if all went well, else a sentence.
    net::awaitable<std::string> publish(IssuePtr issue)
    {
        std::string problem;
        if (lacks_recent_) {
            problem = co_await take_over();
        }
        auto const& object = issue->object;
        std::string const bytes(object.bytes.begin(), object.bytes.end());
        if (problem.empty()) {
            problem = co_await put(object.entry.name.path(), bytes);
        }
        if (problem.empty() && !is_cache_) { // a cache knows the chunks of what it verified
            problem = co_await put(decade::alias_path(swarm_id_, object.entry.chunks), bytes);
        }
        if (problem.empty()) {
            problem = co_await put(decade::index_path(swarm_id_), issue->index_text);
        }
        if (problem.empty() && !is_cache_) {
            co_await prune(object.entry);
        }
        if (problem.empty()) {
            recent_.push_back(issue);
            if (recent_.size() > recent_max) {
                recent_.pop_front();
            }
        }
        co_return problem;
    }

    /// Viewers of the server that failed may not have fetched what it took last.
    net::awaitable<std::string> take_over()
    {
        for (auto const& issue : recent_) {
            auto const& object = issue->object;
            std::string bytes(object.bytes.begin(), object.bytes.end());
            auto problem = co_await put(object.entry.name.path(), std::move(bytes));
            if (!problem.empty()) {
                co_return problem;
            }
        }
        lacks_recent_ = false;
        co_return std::string{};
    }

    net::awaitable<std::string> put(std::string path, std::string body)
    {
        net::HttpCall call;
        call.method = "PUT";
        call.target = target_of(path);
        call.headers = {{"Content-Type", "application/octet-stream"},
                        {"Decade-Expires", expires_s}};
        if (!token_.empty()) {
            call.headers.push_back({"Authorization", "Bearer " + token_});
        }
        call.body = std::move(body);
        auto const answer = co_await client_->call(std::move(call));
        if (!answer) {
            co_return text_of(servers_.front()) +
                " took no units: " + std::string(to_text(answer.error()));
        }
        bool const is_good = answer->status >= 200 && answer->status < 300;
        co_return is_good ? std::string{}
                          : text_of(servers_.front()) + " took no units: it answered " +
                                std::to_string(answer->status) + " " + answer->body.substr(0, 200);
    }

    net::awaitable<void> prune(decade::IndexedObject entry)
    {
        published_.push_back(std::move(entry));
        if (published_.size() <= CdnFolder::objects_max) {
            co_return;
        }
        auto const oldest = published_.front();
        published_.pop_front();
        for (auto const& path :
             {oldest.name.path(), decade::alias_path(swarm_id_, oldest.chunks)}) {
            net::HttpCall call;
            call.method = "DELETE";
            call.target = target_of(path);
            static_cast<void>(co_await client_->call(std::move(call)));
        }
    }

    [[nodiscard]] std::string target_of(std::string const& path) const
    {
        auto base = servers_.front().target;
        while (base.ends_with('/')) {
            base.pop_back();
        }
        return base + path;
    }

    /// Once per change: a server that is away would fill the log.
    void tell(std::string const& problem)
    {
        if (!problem.empty() && !was_bad_) {
            on_message_(problem);
        } else if (problem.empty() && was_bad_) {
            on_message_(text_of(servers_.front()) + " takes units");
        }
        was_bad_ = !problem.empty();
    }

    net::io_context& context_;
    std::vector<net::Url> servers_;
    bool is_cache_;
    std::string token_;
    ByteVector swarm_id_;
    std::function<void(std::string const&)> on_message_;
    net::steady_timer wake_;
    std::unique_ptr<net::HttpClient> client_;
    std::deque<IssuePtr> waiting_;
    std::deque<IssuePtr> recent_; ///< what was published last
    std::deque<decade::IndexedObject> published_;
    bool is_finishing_ = false;
    bool was_bad_ = false;
    bool lacks_recent_ = false; ///< the server took another one's place
};

} // namespace

struct Publisher::Parts {
    Parts(PublisherOptions given, integrity::PrivateKey const& key)
        : options(std::move(given)), signer(integrity::make_signer(key)),
          hasher(integrity::make_hasher(wire::HashFunction::sha256)), work(context.get_executor())
    {}

    void issue(std::optional<CollectedObject> object)
    {
        if (!object) {
            return;
        }
        auto text = to_text(collector->index(unix_now()), *signer);
        auto const made = std::make_shared<Issue const>(Issue{std::move(*object), std::move(text)});
        if (folder) {
            auto const written = folder->publish(made->object, made->index_text);
            if (!written && !was_folder_bad) {
                options.on_message(written.error());
            }
            was_folder_bad = !written.has_value();
        }
        for (auto const& destination : destinations) {
            destination->add(made);
        }
    }

    PublisherOptions options;
    std::unique_ptr<integrity::Signer> signer;
    std::unique_ptr<integrity::Hasher> hasher;
    net::io_context context{1};
    boost::asio::executor_work_guard<net::io_context::executor_type> work;
    std::optional<ObjectCollector> collector;
    std::optional<CdnFolder> folder;
    std::vector<std::shared_ptr<Destination>> destinations;
    std::promise<void> ended;
    std::thread thread;
    bool was_folder_bad = false;
    bool is_stopped = false;
};

Result<std::unique_ptr<Publisher>, std::string> Publisher::open(PublisherOptions options,
                                                                integrity::PrivateKey const& key)
{
    auto parts = std::make_unique<Parts>(std::move(options), key);
    auto const& given = parts->options;
    if (!given.cdn_folder.empty()) {
        auto folder = CdnFolder::open(given.cdn_folder, key.swarm_id());
        if (!folder) {
            return failure(folder.error());
        }
        parts->folder.emplace(std::move(*folder));
    }
    auto const add = [&](std::vector<net::Url> servers, bool is_cache, std::string token) {
        auto destination =
            std::make_shared<Destination>(parts->context, std::move(servers), is_cache,
                                          std::move(token), key.swarm_id(), given.on_message);
        net::co_spawn(parts->context, Destination::run(destination), net::detached);
        parts->destinations.push_back(std::move(destination));
    };
    if (!given.caches.empty()) {
        add(given.caches, true, given.cache_token);
    }
    if (given.cdn_put) {
        add({*given.cdn_put}, false, {});
    }
    auto* const raw = parts.get();
    parts->thread = start_without_signals([raw] {
        raw->context.run();
        raw->ended.set_value();
    });
    return std::unique_ptr<Publisher>(new Publisher(std::move(parts)));
}

Publisher::Publisher(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Publisher::~Publisher()
{
    stop(std::chrono::milliseconds{0});
}

void Publisher::begin(decade::ObjectFormat const& format, Duration unit_time)
{
    boost::asio::post(parts_->context, [parts = parts_.get(), format, unit_time] {
        parts->collector.emplace(format, parts->signer->swarm_id(), unit_time, *parts->hasher);
    });
}

void Publisher::add(CollectedUnit unit)
{
    boost::asio::post(parts_->context, [parts = parts_.get(), unit = std::move(unit)]() mutable {
        parts->issue(parts->collector->add(std::move(unit), unix_now()));
    });
}

void Publisher::stop(std::chrono::milliseconds time)
{
    if (parts_->is_stopped) {
        return;
    }
    parts_->is_stopped = true;
    boost::asio::post(parts_->context, [parts = parts_.get()] {
        if (parts->collector) {
            parts->issue(parts->collector->finish(unix_now()));
        }
        for (auto const& destination : parts->destinations) {
            destination->finish();
        }
        parts->work.reset();
    });
    if (parts_->ended.get_future().wait_for(time) != std::future_status::ready) {
        parts_->context.stop();
    }
    parts_->thread.join();
}

} // namespace ppsp::peer
