import { layout } from './pages.ts';

/** The first page. */
export const welcomePage = (): string =>
  layout(
    'Welcome',
    `<h1>The shop is open</h1>
     <p>Eight services behind one door. Place an order and watch it go through:</p>
     <pre>npx souk order</pre>
     <p>or look around by hand:</p>
     <pre>curl -s "<span id="origin">http://localhost:8080</span>/api/v1/products?query=lamp&amp;page_size=3"</pre>
     <ul><li><a href="/docs">Every call, described</a> (<a href="/openapi.json">OpenAPI 3.1</a>)</li>
     <li><a href="/dev/mailbox">What customers were told</a></li>
     <li><a href="/metrics">Metrics</a> for Prometheus, <a href="/health/ready">health</a></li></ul>
     <script>document.getElementById('origin').textContent=location.origin</script>`,
  );
