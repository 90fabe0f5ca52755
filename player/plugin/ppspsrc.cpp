#include "player/plugin/ppspsrc.hpp"

#include "player/bridge/chunk_reader.hpp"

#include <gst/base/gstpushsrc.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

GST_DEBUG_CATEGORY_STATIC(ppspsrc_debug);
#define GST_CAT_DEFAULT ppspsrc_debug

namespace ppsp::player {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr guint latency_ms_max = 60'000;
constexpr guint join_timeout_s_max = 86'400;

/// The factory that elements made from here on use; set once per process before the first element.
std::mutex factory_mutex;
MediaSourceFactory factory;

MediaSourceFactory current_factory()
{
    std::scoped_lock const lock{factory_mutex};
    return factory;
}

/// The C++ half of an element; GObject owns the other half.
struct ElementState {
    std::mutex mutex; ///< guards `options`
    ViewerOptions options;
    ChunkReader reader{current_factory()};

    // Streaming thread only.
    milliseconds announced_delay{0};
    GstClockTime last_pts = 0;
};

struct PpspSrc {
    GstPushSrc parent;
    ElementState* state;
};

struct PpspSrcClass {
    GstPushSrcClass parent;
};

GType ppsp_src_get_type();
void ppsp_src_uri_handler_init(gpointer interface, gpointer);

G_DEFINE_TYPE_WITH_CODE(PpspSrc, ppsp_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, ppsp_src_uri_handler_init))

PpspSrc* as_ppsp_src(gpointer object)
{
    return reinterpret_cast<PpspSrc*>(object);
}

enum Property : guint {
    prop_uri = 1,
    prop_location,
    prop_listen,
    prop_latency_ms,
    prop_upload_kbps,
    prop_join_timeout,
    prop_strict,
    prop_forgive_link_loss,
    prop_peers,
    prop_cache_token,
    prop_swarm,
    prop_udp_address,
    prop_latency_target_ms,
    prop_stats,
};

GstStaticPadTemplate source_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("video/mpegts, systemstream = (boolean) true"));

// Properties

/// A link can change only while nothing is open.
bool set_link(PpspSrc* self, gchar const* link)
{
    GST_OBJECT_LOCK(self);
    bool const is_open = GST_STATE(self) > GST_STATE_READY;
    GST_OBJECT_UNLOCK(self);
    if (is_open) {
        return false;
    }
    std::scoped_lock const lock{self->state->mutex};
    self->state->options.link = link ? link : "";
    return true;
}

void set_property(GObject* object, guint id, GValue const* value, GParamSpec* spec)
{
    auto* const self = as_ppsp_src(object);
    if (id == prop_uri || id == prop_location) {
        if (!set_link(self, g_value_get_string(value))) {
            GST_WARNING_OBJECT(self, "the link stays as it is until the element is stopped");
        }
        return;
    }
    std::scoped_lock const lock{self->state->mutex};
    auto& options = self->state->options;
    switch (id) {
    case prop_listen:
        options.listen = g_value_get_string(value) ? g_value_get_string(value) : "";
        break;
    case prop_latency_ms: {
        auto const latency = g_value_get_uint(value);
        options.latency = latency == 0 ? std::nullopt : std::optional{milliseconds{latency}};
        break;
    }
    case prop_upload_kbps: {
        auto const rate = g_value_get_int64(value);
        options.upload_kbps =
            rate < 0 ? std::nullopt : std::optional{static_cast<std::uint64_t>(rate)};
        break;
    }
    case prop_join_timeout:
        options.join_timeout = seconds{g_value_get_uint(value)};
        break;
    case prop_strict:
        options.strict = g_value_get_boolean(value) != FALSE;
        break;
    case prop_forgive_link_loss:
        options.forgive_link_loss = g_value_get_boolean(value) != FALSE;
        break;
    case prop_peers:
        options.peers = g_value_get_boolean(value) != FALSE;
        break;
    case prop_cache_token:
        options.cache_token = g_value_get_string(value) ? g_value_get_string(value) : "";
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

/// What the running node says; false if `id` is not about the node.
bool get_node_property(PpspSrc* self, guint id, GValue* value)
{
    auto const& reader = self->state->reader;
    switch (id) {
    case prop_swarm:
        g_value_set_string(value, reader.swarm().c_str());
        return true;
    case prop_udp_address:
        g_value_set_string(value, reader.udp_address().c_str());
        return true;
    case prop_latency_target_ms:
        g_value_set_uint(value, static_cast<guint>(reader.latency_target().count()));
        return true;
    case prop_stats:
        g_value_set_string(value, reader.statistics_json().c_str());
        return true;
    default:
        return false;
    }
}

void get_property(GObject* object, guint id, GValue* value, GParamSpec* spec)
{
    auto* const self = as_ppsp_src(object);
    if (get_node_property(self, id, value)) {
        return;
    }
    std::scoped_lock const lock{self->state->mutex};
    auto const& options = self->state->options;
    switch (id) {
    case prop_uri:
    case prop_location:
        g_value_set_string(value, options.link.empty() ? nullptr : options.link.c_str());
        break;
    case prop_listen:
        g_value_set_string(value, options.listen.c_str());
        break;
    case prop_latency_ms:
        g_value_set_uint(value, options.latency ? static_cast<guint>(options.latency->count()) : 0);
        break;
    case prop_upload_kbps:
        g_value_set_int64(value,
                          options.upload_kbps ? static_cast<gint64>(*options.upload_kbps) : -1);
        break;
    case prop_join_timeout:
        g_value_set_uint(value, static_cast<guint>(options.join_timeout.count()));
        break;
    case prop_strict:
        g_value_set_boolean(value, options.strict ? TRUE : FALSE);
        break;
    case prop_forgive_link_loss:
        g_value_set_boolean(value, options.forgive_link_loss ? TRUE : FALSE);
        break;
    case prop_peers:
        g_value_set_boolean(value, options.peers ? TRUE : FALSE);
        break;
    case prop_cache_token:
        g_value_set_string(value, options.cache_token.c_str());
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

void install_settings(GObjectClass* object)
{
    constexpr auto flags = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                    GST_PARAM_MUTABLE_READY);
    ViewerOptions const defaults;
    auto const install = [object](guint id, GParamSpec* spec) {
        g_object_class_install_property(object, id, spec);
    };
    install(prop_uri, g_param_spec_string("uri", "URI", "Channel link (ppsp:// or ppsps://)",
                                          nullptr, flags));
    install(prop_location,
            g_param_spec_string("location", "Location",
                                "Channel link or path of a channel file; the same value as uri",
                                nullptr, flags));
    install(prop_listen,
            g_param_spec_string("listen", "Listen", "UDP address HOST:PORT; port 0 takes any",
                                defaults.listen.c_str(), flags));
    install(prop_latency_ms,
            g_param_spec_uint("latency-ms", "Latency",
                              "Milliseconds from the source's signature to the output; 0 = the "
                              "node finds the smallest that plays without stalls",
                              0, latency_ms_max, 0, flags));
    install(prop_upload_kbps,
            g_param_spec_int64("upload-kbps", "Upload limit",
                               "kbit/s given to other viewers; 0 = never upload, -1 = unlimited",
                               -1, G_MAXINT64, -1, flags));
    install(prop_join_timeout,
            g_param_spec_uint("join-timeout", "Join timeout",
                              "Seconds to wait for the channel to start before giving up", 1,
                              join_timeout_s_max, static_cast<guint>(defaults.join_timeout.count()),
                              flags));
    install(prop_strict,
            g_param_spec_boolean("strict", "Strict", "Refuse what only drafts of RFC 7574 allow",
                                 defaults.strict ? TRUE : FALSE, flags));
    install(prop_forgive_link_loss,
            g_param_spec_boolean("forgive-link-loss", "Forgive link loss",
                                 "What is lost while nothing queues does not halve the rate",
                                 defaults.forgive_link_loss ? TRUE : FALSE, flags));
    install(prop_peers,
            g_param_spec_boolean("peers", "Peers",
                                 "Talk to peers; if not, the link's caches and CDN only",
                                 defaults.peers ? TRUE : FALSE, flags));
    install(prop_cache_token,
            g_param_spec_string("cache-token", "Cache token",
                                "Access token that the link's caches ask for", nullptr, flags));
}

void install_readings(GObjectClass* object)
{
    constexpr auto flags = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
    g_object_class_install_property(
        object, prop_swarm,
        g_param_spec_string("swarm", "Swarm", "Swarm id in hex, once joined", nullptr, flags));
    g_object_class_install_property(object, prop_udp_address,
                                    g_param_spec_string("udp-address", "UDP address",
                                                        "HOST:PORT in use, once joined", nullptr,
                                                        flags));
    g_object_class_install_property(
        object, prop_latency_target_ms,
        g_param_spec_uint("latency-target-ms", "Latency target",
                          "Milliseconds that the node aims at from signature to output", 0,
                          G_MAXUINT, 0, flags));
    g_object_class_install_property(
        object, prop_stats,
        g_param_spec_string("stats", "Statistics",
                            "One JSON object with the keys of --stats-json; after a stop, the "
                            "last figures",
                            nullptr, flags));
}

// Media

/// Hands the piece's bytes to GStreamer without copying them.
GstBuffer* wrap(MediaPiece& piece)
{
    auto owned = std::make_unique<std::vector<std::uint8_t>>(std::move(piece.bytes));
    auto* const data = owned->data();
    auto const size = owned->size();
    auto const destroy = [](gpointer bytes) {
        delete static_cast<std::vector<std::uint8_t>*>(bytes);
    };
    auto* const buffer = gst_buffer_new_wrapped_full(static_cast<GstMemoryFlags>(0), data, size, 0,
                                                     size, owned.release(), destroy);
    if (piece.discontinuity) {
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    }
    return buffer;
}

/// The moment of arrival, less what the node holds media back longer than at the start. Without
/// this a demuxer would take a node that has raised its target for a slow clock and play late
/// frames until its estimate has followed; the latency query carries the difference instead.
GstClockTime stamp(PpspSrc* self, milliseconds extra_delay)
{
    auto* const clock = gst_element_get_clock(GST_ELEMENT(self));
    if (clock == nullptr) {
        return GST_CLOCK_TIME_NONE;
    }
    auto const now = gst_clock_get_time(clock);
    gst_object_unref(clock);
    auto const late = gst_element_get_base_time(GST_ELEMENT(self)) +
                      static_cast<GstClockTime>(extra_delay.count()) * GST_MSECOND;
    return now > late ? now - late : 0;
}

/// Waits for the next piece and stamps it.
GstFlowReturn take_media(PpspSrc* self, GstBuffer** out)
{
    auto& state = *self->state;
    MediaPiece piece;
    switch (state.reader.next(piece)) {
    case ChunkReader::Outcome::flushing:
        return GST_FLOW_FLUSHING;
    case ChunkReader::Outcome::ended:
        return GST_FLOW_EOS;
    case ChunkReader::Outcome::failed:
        GST_ELEMENT_ERROR(self, RESOURCE, READ, ("%s", state.reader.error().c_str()), (nullptr));
        return GST_FLOW_ERROR;
    case ChunkReader::Outcome::media:
        break;
    }
    auto const extra_delay = state.reader.extra_delay();
    if (extra_delay != state.announced_delay) {
        state.announced_delay = extra_delay;
        GST_INFO_OBJECT(self, "latency is now %d ms", static_cast<int>(extra_delay.count()));
        gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
    }
    *out = wrap(piece);
    auto const pts = stamp(self, extra_delay);
    if (GST_CLOCK_TIME_IS_VALID(pts)) {
        state.last_pts = std::max(state.last_pts, pts);
        GST_BUFFER_PTS(*out) = state.last_pts;
    }
    return GST_FLOW_OK;
}

/// Nothing thrown in our half may pass through GStreamer's frames.
GstFlowReturn create(GstPushSrc* source, GstBuffer** out)
{
    auto* const self = as_ppsp_src(source);
    try {
        return take_media(self, out);
    } catch (std::exception const& error) {
        GST_ELEMENT_ERROR(self, RESOURCE, READ, ("the node stopped: %s", error.what()), (nullptr));
        return GST_FLOW_ERROR;
    }
}

// Life

void post_joined(PpspSrc* self)
{
    auto const& reader = self->state->reader;
    auto* const fields =
        gst_structure_new(joined_message, "swarm", G_TYPE_STRING, reader.swarm().c_str(), "udp",
                          G_TYPE_STRING, reader.udp_address().c_str(), nullptr);
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), fields));
}

gboolean start(GstBaseSrc* source)
{
    auto* const self = as_ppsp_src(source);
    auto& state = *self->state;
    ViewerOptions options;
    {
        std::scoped_lock const lock{state.mutex};
        options = state.options;
    }
    if (options.link.empty()) {
        GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND,
                          ("no channel to play: set the property uri to a ppsp:// link"),
                          (nullptr));
        return FALSE;
    }
    options.on_message = [self](std::string const& sentence) {
        GST_ELEMENT_INFO(self, RESOURCE, READ, ("%s", sentence.c_str()), (nullptr));
    };
    state.announced_delay = milliseconds{0};
    state.last_pts = 0;
    std::string error;
    try {
        if (state.reader.start(std::move(options), error)) {
            post_joined(self);
            return TRUE;
        }
    } catch (std::exception const& failure) {
        error = failure.what();
    }
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ, ("%s", error.c_str()), (nullptr));
    return FALSE;
}

gboolean stop(GstBaseSrc* source)
{
    as_ppsp_src(source)->state->reader.stop();
    return TRUE;
}

gboolean unlock(GstBaseSrc* source)
{
    as_ppsp_src(source)->state->reader.interrupt();
    return TRUE;
}

gboolean unlock_stop(GstBaseSrc* source)
{
    as_ppsp_src(source)->state->reader.resume();
    return TRUE;
}

gboolean is_seekable(GstBaseSrc*)
{
    return FALSE;
}

gboolean query(GstBaseSrc* source, GstQuery* query)
{
    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
        auto const delay = as_ppsp_src(source)->state->reader.extra_delay();
        gst_query_set_latency(query, TRUE, static_cast<GstClockTime>(delay.count()) * GST_MSECOND,
                              GST_CLOCK_TIME_NONE);
        return TRUE;
    }
    return GST_BASE_SRC_CLASS(ppsp_src_parent_class)->query(source, query);
}

GstStateChangeReturn change_state(GstElement* element, GstStateChange transition)
{
    if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED) {
        as_ppsp_src(element)->state->reader.skip_backlog();
    }
    return GST_ELEMENT_CLASS(ppsp_src_parent_class)->change_state(element, transition);
}

void finalize(GObject* object)
{
    delete as_ppsp_src(object)->state;
    G_OBJECT_CLASS(ppsp_src_parent_class)->finalize(object);
}

void ppsp_src_init(PpspSrc* self)
{
    self->state = new ElementState;
    gst_base_src_set_live(GST_BASE_SRC(self), TRUE);
    gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
    gst_base_src_set_do_timestamp(GST_BASE_SRC(self), TRUE);
}

void ppsp_src_class_init(PpspSrcClass* type)
{
    auto* const object = G_OBJECT_CLASS(type);
    object->set_property = set_property;
    object->get_property = get_property;
    object->finalize = finalize;
    install_settings(object);
    install_readings(object);

    auto* const element = GST_ELEMENT_CLASS(type);
    element->change_state = change_state;
    gst_element_class_add_static_pad_template(element, &source_template);
    gst_element_class_set_static_metadata(element, "PPSP source", "Source/Network",
                                          "Plays a live peer-to-peer channel (RFC 7574) as MPEG-TS",
                                          "ppsp");

    auto* const base = GST_BASE_SRC_CLASS(type);
    base->start = start;
    base->stop = stop;
    base->unlock = unlock;
    base->unlock_stop = unlock_stop;
    base->is_seekable = is_seekable;
    base->query = query;
    GST_PUSH_SRC_CLASS(type)->create = create;
}

// URI handler

GstURIType uri_type(GType)
{
    return GST_URI_SRC;
}

gchar const* const* uri_protocols(GType)
{
    static gchar const* const protocols[] = {"ppsp", "ppsps", nullptr};
    return protocols;
}

gchar* uri_get(GstURIHandler* handler)
{
    auto* const self = as_ppsp_src(handler);
    std::scoped_lock const lock{self->state->mutex};
    auto const& link = self->state->options.link;
    return gst_uri_is_valid(link.c_str()) ? g_strdup(link.c_str()) : nullptr;
}

gboolean uri_set(GstURIHandler* handler, gchar const* uri, GError** error)
{
    if (!gst_uri_has_protocol(uri, "ppsp") && !gst_uri_has_protocol(uri, "ppsps")) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_UNSUPPORTED_PROTOCOL,
                    "%s is not a channel link: it starts with ppsp:// or ppsps://", uri);
        return FALSE;
    }
    if (!set_link(as_ppsp_src(handler), uri)) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                    "the channel can only be changed while the element is stopped");
        return FALSE;
    }
    return TRUE;
}

void ppsp_src_uri_handler_init(gpointer interface, gpointer)
{
    auto* const handler = static_cast<GstURIHandlerInterface*>(interface);
    handler->get_type = uri_type;
    handler->get_protocols = uri_protocols;
    handler->get_uri = uri_get;
    handler->set_uri = uri_set;
}

} // namespace

bool register_ppspsrc(GstPlugin* plugin, MediaSourceFactory open)
{
    GST_DEBUG_CATEGORY_INIT(ppspsrc_debug, "ppspsrc", 0, "PPSP source");
    {
        std::scoped_lock const lock{factory_mutex};
        factory = std::move(open);
    }
    return gst_element_register(plugin, "ppspsrc", GST_RANK_PRIMARY, ppsp_src_get_type()) != FALSE;
}

} // namespace ppsp::player
