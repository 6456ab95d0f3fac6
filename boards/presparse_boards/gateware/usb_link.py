"""A board's bytes over USB 2.0, at high speed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import ClockSignal, DomainRenamer, Elaboratable, Module, ResetInserter, Signal, ValueLike
from amaranth.lib import io, stream, wiring
from amaranth.lib.fifo import AsyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from luna.gateware.interface.ulpi import UTMITranslator
from luna.gateware.interface.utmi import UTMIInterface
from luna.gateware.usb.request.windows import MicrosoftOS10RequestHandler
from luna.gateware.usb.usb2.device import USBDevice
from luna.gateware.usb.usb2.endpoints.stream import USBStreamInEndpoint, USBStreamOutEndpoint
from usb_protocol.emitters import DeviceDescriptorCollection
from usb_protocol.emitters.descriptors.microsoft10 import MicrosoftOS10DescriptorCollection
from usb_protocol.emitters.descriptors.standard import get_string_descriptor

from presparse.contract.usb import ENDPOINT, MANUFACTURER, PACKET_BYTES, PRODUCT_ID, VENDOR_ID
from presparse_hw.lib.skid import Skid

USB_HZ = 60_000_000
"""Of the domain "usb": eight bits per cycle."""
SILENCE_CYCLES = 32
"""Of the domain "usb": a packet that is not full is sent after so many without another byte. A core of a sixth of its
clock still fills a packet without such a gap."""
_QUEUE = 17
"""Bytes between the domains: several times what a pointer needs to cross, so that none waits for it."""
_MICROSOFT_REQUEST = 0xEE


class UsbLink(wiring.Component):
    """A USB device with two bulk endpoints: a byte stream each way.

        host -> OUT endpoint (1 KiB) -> queue -> received      domain "usb" to domain "sync"
        host <- IN endpoint (1 KiB)  <- queue <- sent          domain "sync" to domain "usb"

    No byte is lost: what is not taken here the host keeps (NAK), what the host does not take stays here. A packet goes
    to the host when it is full or no byte follows for `SILENCE_CYCLES`; no empty packet follows a full one, so hosts
    read packet by packet. A reset of the bus empties the endpoints, and what is sent while no cable is there is lost.
    It works at high speed alone.

    Parameters
    ----------
    utmi : of the PHY
    product, serial : names that the host sees
    busy : the PHY takes no packet now

    Members
    -------
    received : Out(stream)   bytes from the host
    sent : In(stream)        bytes to the host
    """

    received: stream.Interface
    sent: stream.Interface

    def __init__(self, utmi: UTMIInterface, *, product: str, serial: str, busy: ValueLike = 0) -> None:
        self._device = USBDevice(bus=utmi)
        self._device.bus_busy = busy
        # luna takes UTMI for a bus at full speed.
        self._device.always_fs, self._device.data_clock = False, USB_HZ
        control = self._device.add_control_endpoint()
        control.add_standard_request_handlers(_descriptors(product, serial))
        control.add_request_handler(MicrosoftOS10RequestHandler(_windows(), request_code=_MICROSOFT_REQUEST))
        super().__init__({"received": Out(stream.Signature(8)), "sent": In(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.device = device = self._device
        out, into = _OutEndpoint(device.reset_detected), _InEndpoint(device.reset_detected)
        device.add_endpoint(out)
        device.add_endpoint(into)
        m.submodules.from_host = from_host = AsyncFIFOBuffered(width=8, depth=_QUEUE, w_domain="usb", r_domain="sync")
        m.submodules.to_host = to_host = AsyncFIFOBuffered(width=8, depth=_QUEUE, w_domain="sync", r_domain="usb")
        m.d.comb += [
            device.connect.eq(1),
            from_host.w_data.eq(out.stream.payload),
            from_host.w_en.eq(out.stream.valid),
            out.stream.ready.eq(from_host.w_rdy),
            into.stream.payload.eq(to_host.r_data),
            into.stream.valid.eq(to_host.r_rdy),
            to_host.r_en.eq(into.stream.ready),
        ]
        wiring.connect(m, from_host.r_stream, wiring.flipped(self.received))
        wiring.connect(m, wiring.flipped(self.sent), to_host.w_stream)

        silent = Signal(range(SILENCE_CYCLES + 1))
        with m.If(to_host.r_rdy):
            m.d.usb += silent.eq(0)
        with m.Elif(silent != SILENCE_CYCLES):
            m.d.usb += silent.eq(silent + 1)
        m.d.comb += into.flush.eq((silent == SILENCE_CYCLES) & ~to_host.r_rdy)
        return m


class UlpiPhy(Elaboratable):
    """A ULPI PHY that makes the clock of the domain "usb", as signals of UTMI.

    What the PHY is sent comes from registers: it must be there 6 ns before the PHY's next edge, and from where luna
    decides on an answer to the pins it is 8 LUTs. Latency 1 cycle more; the host would wait for 100.

    Parameters
    ----------
    port : clk, data, dir, nxt, stp, rst

    Attributes
    ----------
    utmi, busy : for `UsbLink`
    reset : of the PHY, from any domain
    """

    def __init__(self, port: Any) -> None:
        self.utmi = UTMIInterface()
        self.busy = Signal()
        self.reset = Signal()
        self._port = port

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins = {name: io.Buffer("i", getattr(self._port, name)) for name in ("clk", "dir", "nxt")}
        pins |= {"data": io.Buffer("io", self._port.data), "stp": io.Buffer("o", self._port.stp)}
        for name, pin in pins.items():
            m.submodules[name] = pin
        m.submodules.rst = rst = io.Buffer("o", self._port.rst)
        # With a real pin, luna would reset the PHY as long as the domain is, whose clock then stands.
        no_rst = SimpleNamespace(o=Signal())
        ulpi = SimpleNamespace(**pins, rst=no_rst)
        m.submodules.translator = translator = UTMITranslator(ulpi=ulpi, handle_clocking=False)
        m.submodules.skid = skid = DomainRenamer("usb")(Skid(8))
        m.d.comb += [
            ClockSignal("usb").eq(pins["clk"].i),
            rst.o.eq(self.reset),
            self.busy.eq(translator.busy),
            skid.i.payload.eq(self.utmi.tx_data),
            skid.i.valid.eq(self.utmi.tx_valid),
            self.utmi.tx_ready.eq(skid.i.ready),
            translator.tx_data.eq(skid.o.payload),
            translator.tx_valid.eq(skid.o.valid),
            skid.o.ready.eq(translator.tx_ready),
        ]
        for name in ("rx_data", "rx_valid", "rx_active", *dict(UTMITranslator.RXEVENT_STATUS_SIGNALS)):
            m.d.comb += getattr(self.utmi, name).eq(getattr(translator, name))
        for name in dict(UTMITranslator.CONTROL_SIGNALS):
            m.d.comb += getattr(translator, name).eq(getattr(self.utmi, name))
        return m


class _OutEndpoint(USBStreamOutEndpoint):
    """Begins anew with `restart`, as luna's own does not: its first packet would be taken for a repeated one."""

    def __init__(self, restart: Signal) -> None:
        self._restart = restart
        super().__init__(endpoint_number=ENDPOINT, max_packet_size=PACKET_BYTES)

    def elaborate(self, platform: object) -> Elaboratable:
        return ResetInserter({"usb": self._restart})(super().elaborate(platform))


class _InEndpoint(USBStreamInEndpoint):
    """Likewise."""

    def __init__(self, restart: Signal) -> None:
        self._restart = restart
        super().__init__(endpoint_number=ENDPOINT, max_packet_size=PACKET_BYTES)

    def elaborate(self, platform: object) -> Elaboratable:
        return ResetInserter({"usb": self._restart})(super().elaborate(platform))


def _descriptors(product: str, serial: str) -> DeviceDescriptorCollection:
    descriptors = DeviceDescriptorCollection()
    with descriptors.DeviceDescriptor() as device:
        device.idVendor, device.idProduct = VENDOR_ID, PRODUCT_ID
        device.iManufacturer, device.iProduct, device.iSerialNumber = MANUFACTURER, product, serial
        device.bNumConfigurations = 1
    with descriptors.ConfigurationDescriptor() as configuration, configuration.InterfaceDescriptor() as interface:
        configuration.bmAttributes, configuration.bMaxPower = 0xC0, 0  # takes no power from USB
        interface.bInterfaceNumber = 0
        for address in (ENDPOINT, 0x80 | ENDPOINT):
            with interface.EndpointDescriptor() as endpoint:
                endpoint.bEndpointAddress, endpoint.wMaxPacketSize, endpoint.bInterval = address, PACKET_BYTES, 0
    microsoft = get_string_descriptor(f"MSFT100{chr(_MICROSOFT_REQUEST)}")
    descriptors.add_descriptor(microsoft, index=0xEE)
    return descriptors


def _windows() -> MicrosoftOS10DescriptorCollection:
    """Windows takes its own driver, WinUSB, and asks for no other."""
    descriptors = MicrosoftOS10DescriptorCollection()
    with descriptors.ExtendedCompatIDDescriptor() as compatible, compatible.Function() as function:
        function.bFirstInterfaceNumber, function.compatibleID = 0, "WINUSB"
    return descriptors
