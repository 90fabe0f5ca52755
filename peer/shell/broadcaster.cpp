#include "peer/shell/broadcaster.hpp"

#include "peer/ingest/media_source.hpp"
#include "peer/shell/channel_file.hpp"
#include "peer/shell/key_state.hpp"
#include "peer/shell/media_output.hpp"
#include "peer/shell/own_addresses.hpp"
#include "peer/shell/stream_recorder.hpp"
#include "peer/shell/swarm_session.hpp"
#include "peer/shell/unit_feed.hpp"
#include "peer/storage/munro_recorder.hpp"
#include "protocol/base/assert.hpp"
#include "protocol/integrity/key_file.hpp"
#include "protocol/integrity/openssl_signature.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <condition_variable>
#include <mutex>

namespace ppsp::peer {
namespace {

/// A remote input that needs longer than this is reported, not waited for.
constexpr std::chrono::seconds open_wait_max{10};
/// What the last object has to reach caches and web servers; with the goodbyes it stays below 2 s.
constexpr std::chrono::milliseconds publish_wait_max{500};

Result<integrity::PrivateKey, std::string> load_or_make_key(std::string const& path)
{
    using integrity::KeyFileError;
    if (path.empty()) {
        auto key = integrity::PrivateKey::generate();
        if (!key) {
            return failure(std::string{"no key could be made"});
        }
        return *std::move(key);
    }
    auto key = integrity::load_key(path);
    if (!key && key.error() == KeyFileError::missing) {
        key = integrity::create_key(path);
    }
    if (!key) {
        return failure("key file " + path + ": " + std::string{to_string(key.error())});
    }
    return *std::move(key);
}

std::string to_url(net::Url const& url)
{
    auto target = url.target == "/" ? std::string{} : url.target;
    bool const is_v6 = url.host.find(':') != std::string::npos;
    return (url.is_https ? "https://" : "http://") + (is_v6 ? "[" + url.host + "]" : url.host) +
           ":" + std::to_string(url.port) + target;
}

std::int64_t unix_seconds()
{
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

} // namespace

struct Broadcaster::Parts {
    explicit Parts(BroadcastOptions given) : options(std::move(given)) {}

    [[nodiscard]] Result<void, std::string> open_key();
    [[nodiscard]] Result<void, std::string> open_session();
    [[nodiscard]] Result<void, std::string> open_cut_file();
    [[nodiscard]] Result<void, std::string> open_recorder();
    [[nodiscard]] Result<void, std::string> open_publisher();
    [[nodiscard]] Result<void, std::string> open_input();
    [[nodiscard]] Result<void, std::string> write_channel_file();
    void begin_reading();
    void take_items();
    void take(ingest::SourceItem& item);
    void feed_engine();
    void publish(CutUnit unit);
    void finish_recording();
    void join();
    void arm_timer();
    void end_of_input();
    void finish(State state, std::string error);

    BroadcastOptions options;
    ChannelLink link;
    std::optional<integrity::PrivateKey> private_key;
    std::unique_ptr<integrity::Signer> signer;
    std::optional<MunroRecorder> recorder; ///< between the engine and the signer, to publish
    std::unique_ptr<Publisher> publisher;
    std::optional<KeyStateFile> key_state;
    std::unique_ptr<SwarmSession> session;

    // The node's thread from `begin_reading` to `stop`:
    std::unique_ptr<ingest::MediaSource> source;
    std::optional<ingest::SourceItem> first_item; ///< read while opening
    std::optional<UnitFeed> feed;
    std::unique_ptr<boost::asio::steady_timer> timer;
    std::optional<TimePoint> armed;
    bool is_joined = false;
    std::unique_ptr<MediaOutput> cut_output;
    std::unique_ptr<StreamRecorder> stream_recorder;
    bool is_recording_over = false;
    bool is_input_over = false;

    mutable std::mutex mutex;
    std::condition_variable changed;
    State state = State::running;
    std::string error;
    bool is_stopped = false;
};

// ---- opening -----------------------------------------------------------------------------------

Result<void, std::string> Broadcaster::Parts::open_key()
{
    auto key = load_or_make_key(options.key_file);
    if (!key) {
        return failure(std::move(key.error()));
    }
    private_key = *std::move(key);
    signer = integrity::make_signer(*private_key);
    link.swarm = signer->swarm_id();
    UnitFeed::Options feed_options;
    feed_options.unit_time = options.unit_time;
    feed_options.measure_time = measure_time;
    feed_options.measure_bytes_max = measure_bytes_max;
    if (options.video_kbps) {
        feed_options.rate_bps = std::uint64_t{*options.video_kbps} * 1000;
    }
    if (!options.key_file.empty()) {
        auto opened = KeyStateFile::open(options.key_file);
        if (!opened) {
            return failure(std::move(opened.error()));
        }
        key_state.emplace(*std::move(opened));
        feed_options.next = key_state->state().next;
        feed_options.chunks_per_unit = key_state->state().chunks_per_unit;
    }
    feed.emplace(feed_options);
    return {};
}

Result<void, std::string> Broadcaster::Parts::open_session()
{
    if (options.tracker) {
        link.trackers = {{*options.tracker}};
    }
    SwarmSession::Options session_options;
    session_options.link = link;
    session_options.node = {options.listen, options.upload_kbps, options.strict,
                            options.forgive_link_loss};
    session_options.on_message = options.on_message;
    session_options.on_refused = [this](std::string const& sentence) {
        finish(State::failed, sentence);
    };
    auto opened = SwarmSession::open(std::move(session_options));
    if (!opened) {
        return failure(std::move(opened.error()));
    }
    session = *std::move(opened);
    if (!options.tracker) {
        auto const own = own_addresses(session->node().local_endpoint(), {});
        link.peers = {{own.front().address_text(), own.front().port()}};
    }
    return {};
}

Result<void, std::string> Broadcaster::Parts::open_cut_file()
{
    if (options.cut_file.empty()) {
        return {};
    }
    auto opened = MediaOutput::open(options.cut_file, [] { return false; });
    if (!opened) {
        return failure(std::move(opened.error()));
    }
    cut_output = *std::move(opened);
    return {};
}

Result<void, std::string> Broadcaster::Parts::open_recorder()
{
    if (options.record_folder.empty()) {
        return {};
    }
    auto opened = StreamRecorder::open(options.record_folder, link.trackers);
    if (!opened) {
        return failure(std::move(opened.error()));
    }
    stream_recorder = *std::move(opened);
    return {};
}

Result<void, std::string> Broadcaster::Parts::open_publisher()
{
    if (options.publish.is_empty()) {
        return {};
    }
    for (auto const& cache : options.publish.caches) {
        link.caches.push_back(to_url(cache));
    }
    auto publish_options = options.publish;
    publish_options.on_message = options.on_message;
    auto opened = Publisher::open(std::move(publish_options), *private_key);
    if (!opened) {
        return failure(std::move(opened.error()));
    }
    publisher = *std::move(opened);
    recorder.emplace(*signer, LiveSwarmConfig{}.addressing);
    return {};
}

Result<void, std::string> Broadcaster::Parts::open_input()
{
    auto input = ingest::parse_input(options.input);
    if (!input) {
        return failure(std::move(input.error()));
    }
    bool const is_waiting_normal =
        input->waits_for_sender() || input->kind == ingest::InputKind::pipe;
    ingest::SourceOptions source_options;
    source_options.input = *std::move(input);
    source_options.loop = options.loop;
    source_options.encode = options.encode;
    source_options.video_kbps = options.video_kbps;
    source_options.stamp_clock = options.stamp_clock;
    source = ingest::start_source(std::move(source_options),
                                  [this] { session->node().post([this] { take_items(); }); });
    if (is_waiting_normal) {
        return {};
    }
    // Who gives a wrong file name should hear it before a link is printed.
    first_item = source->wait(open_wait_max);
    if (auto const* failed =
            first_item ? std::get_if<ingest::SourceFailed>(&*first_item) : nullptr) {
        return failure(failed->sentence);
    }
    return {};
}

Result<void, std::string> Broadcaster::Parts::write_channel_file()
{
    if (options.channel_file.empty()) {
        return {};
    }
    ChannelFile file;
    file.title = options.title;
    file.link = link;
    file.link.peers.clear();
    file.chunks_per_signature = feed->chosen() ? feed->chosen()->chunks_per_unit : 0;
    file.created = unix_seconds();
    return write_atomically(options.channel_file, to_json(file, *signer));
}

// ---- the node's thread -------------------------------------------------------------------------

void Broadcaster::Parts::begin_reading()
{
    timer = std::make_unique<boost::asio::steady_timer>(session->node().context());
    if (first_item) {
        take(*first_item);
        first_item.reset();
    }
    take_items();
}

void Broadcaster::Parts::take_items()
{
    // Announced before `begin_reading`: it will look by itself.
    if (!timer || is_input_over) {
        return;
    }
    while (auto item = source->poll()) {
        take(*item);
    }
    feed_engine();
}

void Broadcaster::Parts::take(ingest::SourceItem& item)
{
    auto const now = session->node().now();
    if (auto const* media = std::get_if<ingest::TsBytes>(&item)) {
        feed->append(now, media->bytes);
    } else if (auto const* opened = std::get_if<ingest::SourceOpened>(&item)) {
        options.on_message("input: " + opened->description);
        if (opened->bits_per_second) {
            feed->set_rate(*opened->bits_per_second);
        }
    } else if (auto const* warning = std::get_if<ingest::SourceWarning>(&item)) {
        options.on_message(warning->sentence);
    } else if (auto const* waiting = std::get_if<ingest::SourceWaiting>(&item)) {
        options.on_message(waiting->sentence);
    } else if (std::holds_alternative<ingest::SourceResumed>(item)) {
        options.on_message("the input is back");
    } else if (auto const* failed = std::get_if<ingest::SourceFailed>(&item)) {
        is_input_over = true;
        finish(State::failed, failed->sentence);
    } else {
        feed->finish(now);
        end_of_input();
    }
}

void Broadcaster::Parts::feed_engine()
{
    Node& node = session->node();
    if (!is_joined && feed->chosen()) {
        join();
    }
    while (auto unit = feed->poll(node.now())) {
        if (key_state) {
            auto const reserved = key_state->reserve(unit->first + feed->chosen()->chunks_per_unit,
                                                     feed->chosen()->chunks_per_unit);
            if (!reserved) {
                finish(State::failed, reserved.error());
                return;
            }
        }
        if (cut_output) {
            auto const written = cut_output->write(unit->payload);
            if (!written) {
                finish(State::failed, written.error());
                return;
            }
        }
        if (stream_recorder && !is_recording_over && !stream_recorder->add(unit->payload)) {
            // The channel matters more than its recording.
            is_recording_over = true;
            options.on_message(stream_recorder->error() + "; the recording ends here");
        }
        node.handle(UnitCut{link.swarm, unit->payload, unit->random_access});
        if (publisher) {
            publish(*std::move(unit));
        }
    }
    arm_timer();
}

/// What was recorded gets its name and its link.
void Broadcaster::Parts::finish_recording()
{
    if (!stream_recorder) {
        return;
    }
    auto const finished = stream_recorder->finish();
    if (!finished) {
        options.on_message(finished.error());
    } else if (*finished) {
        auto const& [file, recording_link] = **finished;
        options.on_message("recorded " + file +
                           (recording_link.empty() ? "" : " as " + recording_link) +
                           "; ppsp-peer --seed " + file + " sends it");
    }
    stream_recorder.reset();
}

/// The unit that the engine has just signed.
void Broadcaster::Parts::publish(CutUnit unit)
{
    auto munro = recorder->take();
    PPSP_ASSERT(munro && munro->chunks.first == unit.first);
    CollectedUnit collected;
    collected.chunks = munro->chunks;
    collected.signed_at = munro->signed_at;
    collected.signature = std::move(munro->signature);
    collected.payload = std::move(unit.payload);
    if (unit.random_access) {
        collected.random_access_offset = unit.random_access_offset;
    }
    publisher->add(std::move(collected));
}

void Broadcaster::Parts::join()
{
    is_joined = true;
    UnitFeed::Chosen const& chosen = *feed->chosen();
    LiveSwarmConfig config;
    config.id = link.swarm;
    config.role = Role::source;
    config.chunks_per_unit = chosen.chunks_per_unit;
    config.unit_duration = chosen.unit_duration;
    config.first_unit = to_number(chosen.first) / chosen.chunks_per_unit;
    if (publisher) {
        publisher->begin({config.addressing, config.chunk_size, config.chunks_per_unit},
                         config.unit_duration);
    }
    session->join(config, recorder ? &*recorder : signer.get());
    // Written at the start as well; now the size of a unit is known.
    if (auto const written = write_channel_file(); !written) {
        options.on_message(written.error());
    }
}

void Broadcaster::Parts::arm_timer()
{
    auto const deadline = feed->deadline();
    if (deadline == armed || is_input_over) {
        return;
    }
    armed = deadline;
    if (!deadline) {
        timer->cancel();
        return;
    }
    timer->expires_after(*deadline - session->node().now());
    timer->async_wait([this](boost::system::error_code const& problem) {
        if (!problem) {
            armed.reset();
            feed_engine();
        }
    });
}

void Broadcaster::Parts::end_of_input()
{
    is_input_over = true;
    options.on_message("the input has ended");
    timer->expires_after(linger);
    timer->async_wait([this](boost::system::error_code const& problem) {
        if (!problem) {
            finish(State::ended, {});
        }
    });
}

void Broadcaster::Parts::finish(State new_state, std::string new_error)
{
    {
        std::lock_guard const lock{mutex};
        if (state != State::running) {
            return;
        }
        state = new_state;
        error = std::move(new_error);
    }
    changed.notify_all();
}

// ---- from outside ------------------------------------------------------------------------------

Result<std::unique_ptr<Broadcaster>, std::string> Broadcaster::open(BroadcastOptions options)
{
    if (!options.on_message) {
        options.on_message = [](std::string const&) {};
    }
    auto parts = std::make_unique<Parts>(std::move(options));
    for (auto const step :
         {&Parts::open_key, &Parts::open_session, &Parts::open_cut_file, &Parts::open_recorder,
          &Parts::open_publisher, &Parts::open_input, &Parts::write_channel_file}) {
        auto const done = (parts.get()->*step)();
        if (!done) {
            if (parts->source) {
                parts->source->stop();
            }
            return failure(done.error());
        }
    }
    auto broadcaster = std::unique_ptr<Broadcaster>(new Broadcaster(std::move(parts)));
    Parts* const raw = broadcaster->parts_.get();
    raw->session->node().post([raw] { raw->begin_reading(); });
    return broadcaster;
}

Broadcaster::Broadcaster(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Broadcaster::~Broadcaster()
{
    stop();
    // The timer belongs to the node's context.
    parts_->timer.reset();
}

std::string Broadcaster::link() const
{
    return format_link(parts_->link);
}

std::string Broadcaster::udp_address() const
{
    return parts_->session->node().local_endpoint().text();
}

Broadcaster::State Broadcaster::wait(std::chrono::milliseconds time)
{
    std::unique_lock lock{parts_->mutex};
    parts_->changed.wait_for(lock, time, [this] { return parts_->state != State::running; });
    return parts_->state;
}

std::string Broadcaster::error() const
{
    std::lock_guard const lock{parts_->mutex};
    return parts_->error;
}

void Broadcaster::stop()
{
    if (parts_->is_stopped) {
        return;
    }
    parts_->is_stopped = true;
    parts_->source->stop();
    parts_->session->stop();
    // The node's thread has ended: nothing more is cut.
    if (parts_->publisher) {
        parts_->publisher->stop(publish_wait_max);
    }
    auto const& feed = *parts_->feed;
    if (parts_->key_state && feed.chosen()) {
        auto const closed =
            parts_->key_state->close(feed.next_chunk(), feed.chosen()->chunks_per_unit);
        if (!closed) {
            parts_->options.on_message(closed.error());
        }
    }
    parts_->finish_recording(); // a slow disk takes its time
}

std::string Broadcaster::statistics_json()
{
    return parts_->session->statistics_json();
}

} // namespace ppsp::peer
