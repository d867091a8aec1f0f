// The checker's answer by itself.

class NvlWhyView extends NvlBase {
  constructor(model, root) {
    super(model, root);
    const top = this.head();
    this.again = this.button(top, "look again", () => this.send("look"), "ask the checker now", "look");
    this.again.classList.add("nvl-why-again");
    this.why = new NvlWhy(this, root, true);
    this.notice = nvlEl("div", { class: "nvl-notice", role: "status" }, root);
  }

  draw() {
    nvlSay(this.title, { error: "Something is wrong", waiting: "Something waits", note: "Worth knowing", ok: "All is well" }[this.model.get("_why").severity] ?? "Why");
    nvlSay(this.sub, this.state.title ?? "");
    this.why.draw();
  }
}

export default nvlRender(NvlWhyView, "nvl-whyview");
